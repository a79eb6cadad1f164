import { columnFromArray, float32, float64, tableFromColumns, tableToIPC } from '@uwdata/flechette';
import { describe, expect, it } from 'vitest';
import { column } from '../src/api/arrow';

function stream(values: Float32Array | Float64Array): Uint8Array {
  const type = values instanceof Float32Array ? float32() : float64();
  const table = tableFromColumns({ v: columnFromArray(values, type) });
  table.schema.metadata = new Map([['n_rows', String(values.length)]]);
  return tableToIPC(table, { format: 'stream' }) as Uint8Array;
}

describe('a column of numbers', () => {
  const read = (values: Float32Array | Float64Array) => {
    const found = column(stream(values), values.length);
    if (found.kind !== 'number') throw new Error('numbers went in');
    return found.values;
  };

  it('has 32 bits where they tell its values apart, and 64 where they do not', () => {
    expect(read(Float64Array.of(0.1, 7, NaN))).toEqual(Float32Array.of(0.1, 7, NaN));
    const nights = Float64Array.of(2_460_000.25, 2_460_001.5, 2_460_200);
    expect(read(nights)).toEqual(nights);
    expect(read(Float64Array.of(5, 5, Infinity))).toEqual(Float32Array.of(5, 5, Infinity));
    expect(read(Float64Array.of(NaN))).toEqual(Float32Array.of(NaN));
  });

  it('is refused where the stream broke off', () => {
    expect(() => column(stream(Float32Array.of(1, 2)), 3)).toThrow('2 of 3 rows came');
  });
});
