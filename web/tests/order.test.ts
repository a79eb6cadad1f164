import { describe, expect, it } from 'vitest';
import { inOrder, quantile, quantilesOf, spanOf } from '../src/lib/order';

/** Numbers without order, always the same. */
function draws(n: number, of: (u: number) => number): Float64Array {
  let state = 7;
  return Float64Array.from({ length: n }, () => of((state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32));
}

const COLUMNS: Record<string, Float64Array> = {
  even: draws(20_000, (u) => u),
  'far apart': draws(20_000, (u) => Math.exp(60 * u - 30) * (u > 0.5 ? 1 : -1)),
  'one outlier': draws(20_000, (u) => (u < 1e-3 ? 1e30 : u)),
  'few values': draws(20_000, (u) => Math.round(4 * u)),
  'Julian dates': draws(20_000, (u) => 2_460_000 + u / 1000),
  one: draws(1, (u) => u),
  'two, as near as can be': Float64Array.of(1, 1 + Number.EPSILON),
  'of the whole range': Float64Array.of(-Number.MAX_VALUE, 0, Number.MAX_VALUE),
  'next to nothing': Float64Array.of(0, Number.MIN_VALUE, 3 * Number.MIN_VALUE),
};
const SHARES = [0, 1, 0.5, ...Array.from({ length: 255 }, (_, i) => i / 254)];

describe('quantiles', () => {
  for (const [what, column] of Object.entries(COLUMNS)) {
    it(`are those of the sorted column: ${what}`, () => {
      for (const values of [column, Float32Array.from(column)]) {
        const sorted = [...values].filter((v) => Number.isFinite(v)).sort((a, b) => a - b);
        const dirty = new (values.constructor as Float64ArrayConstructor)([NaN, ...values, Infinity, -Infinity]);
        const { least, most, nFinite } = spanOf(dirty);
        expect([least, most, nFinite]).toEqual([sorted[0], sorted[sorted.length - 1], sorted.length]);
        expect(quantilesOf(dirty, least, most, SHARES)).toEqual(SHARES.map((share) => quantile(sorted, share)));
      }
    });
  }

  it('are of the part of the column that is asked for', () => {
    const values = COLUMNS.even;
    const inner = [...values].filter((v) => v >= 0.2 && v <= 0.4).sort((a, b) => a - b);
    expect(quantilesOf(values, 0.2, 0.4, [0.25, 0.75])).toEqual([quantile(inner, 0.25), quantile(inner, 0.75)]);
  });
});

describe('a span', () => {
  it('is of finite values and counts the missing ones', () => {
    expect(spanOf([3, NaN, Infinity, -2])).toEqual({ least: -2, most: 3, nFinite: 2, nMissing: 1 });
    expect(spanOf([NaN]).nFinite).toBe(0);
  });
});

describe('many numbers', () => {
  it('are put in order as `sort` does', () => {
    const some = Float32Array.from(draws(20_000, (u) => u), (x, i) => (x - 0.5) * 10 ** ((i % 60) - 30));
    some.set([0, -0, 1e-45, -1e-45, 3.4e38, -3.4e38, 0, -0], 100);
    // A part of a longer memory, as columns come.
    const part = some.subarray(7, 19_000);
    const known = part.slice().sort();
    const made = inOrder(part.slice());
    expect(made).toEqual(known);
    expect([...made].every((x, i) => Object.is(x, known[i]))).toBe(true);
    expect(inOrder(part)).toBe(part);
    expect(part).toEqual(known);
  });
});
