/** Columns out of Arrow streams: numbers as they lie in the buffer, texts as codes and the texts once. */
import { tableFromIPC } from '@uwdata/flechette';

export type Column =
  | { readonly kind: 'number'; readonly values: Float32Array }
  | { readonly kind: 'text'; readonly codes: Uint32Array; readonly texts: readonly string[] };

/** The code of a missing text. */
export const NO_TEXT = 0xffffffff;

/** The one column of a stream. Throws where the stream broke off: its schema says how many rows there are. */
export function column(bytes: Uint8Array, nRows: number): Column {
  const table = tableFromIPC(bytes);
  const said = Number(table.schema.metadata?.get('n_rows') ?? NaN);
  if (table.numRows !== nRows || said !== nRows) {
    throw new Error(`${table.numRows} of ${nRows} rows came; load the page anew`);
  }
  const found = table.getChildAt(0);
  const batch = found.data[0] as unknown as Batch | undefined;
  if (!batch) return { kind: 'number', values: new Float32Array(0) };
  if (!batch.dictionary) return { kind: 'number', values: batch.values as Float32Array };
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
  readonly values: Float32Array | Uint32Array;
  readonly validity?: Uint8Array;
  readonly nullCount: number;
  readonly dictionary?: Iterable<unknown>;
}
