/** Columns out of Arrow streams: numbers as they lie in the buffer, texts as codes and the texts once. */
import { tableFromIPC } from '@uwdata/flechette';
import { spanOf } from '../lib/order';

/** Numbers have 32 bits where these tell them apart, else 64. */
export type Column =
  | { readonly kind: 'number'; readonly values: Float32Array | Float64Array }
  | { readonly kind: 'text'; readonly codes: Uint32Array; readonly texts: readonly string[] };

/** The code of a missing text. */
export const NO_TEXT = 0xffffffff;

/** Numbers are drawn with 32 bits if these leave so many steps between the least and the most. */
const STEPS = 2 ** 16;

/** The one column of a stream, to be drawn: no longer than it needs to be for that. Throws as {@link exact} does. */
export function column(bytes: Uint8Array, nRows: number): Column {
  const found = exact(bytes, nRows);
  if (found.kind === 'text' || found.values instanceof Float32Array) return found;
  const { least, most } = spanOf(found.values);
  // Julian dates of a season differ in the last two of their seven digits.
  const step = Math.max(Math.abs(least), Math.abs(most)) * 2 ** -23;
  return most > least && most - least < STEPS * step ? found : { kind: 'number', values: Float32Array.from(found.values) };
}

/** The same as the stream has it. Throws where the stream broke off: its schema says how many rows there are. */
export function exact(bytes: Uint8Array, nRows: number): Column {
  const table = tableFromIPC(bytes);
  const said = Number(table.schema.metadata?.get('n_rows') ?? NaN);
  if (table.numRows !== nRows || said !== nRows) {
    throw new Error(`${table.numRows} of ${nRows} rows came; load the page anew`);
  }
  const found = table.getChildAt(0);
  const batch = found.data[0] as unknown as Batch | undefined;
  if (!batch) return { kind: 'number', values: new Float32Array(0) };
  if (!batch.dictionary) return { kind: 'number', values: batch.values as Float32Array | Float64Array };
  const codes = Uint32Array.from(batch.values.subarray(0, nRows) as Uint32Array);
  if (batch.nullCount > 0 && batch.validity) {
    for (let row = 0; row < nRows; row++) {
      if (((batch.validity[row >> 3] >> (row & 7)) & 1) === 0) codes[row] = NO_TEXT;
    }
  }
  return { kind: 'text', codes, texts: [...batch.dictionary] as string[] };
}

/** Row numbers. */
export function rows(bytes: Uint8Array): Uint32Array {
  return tableFromIPC(bytes).getChildAt(0).toArray() as Uint32Array;
}

interface Batch {
  readonly values: Float32Array | Float64Array | Uint32Array;
  readonly validity?: Uint8Array;
  readonly nullCount: number;
  readonly dictionary?: Iterable<unknown>;
}
