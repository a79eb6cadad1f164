import { describe, expect, it } from 'vitest';
import { categoryBytes, colourAt, css, sequential } from '../src/lib/colour';
import { quantile } from '../src/lib/order';
import { outwards, colourBytes, MISSING, place, scaleOf, ticks, valueAt } from '../src/lib/scale';

describe('scales', () => {
  it('put the ends at the ends and never draw what is missing as low', () => {
    const values = [0, 5, 10, NaN, Infinity];
    const scale = scaleOf(values, 'linear');
    expect([scale.low, scale.high, scale.nMissing, scale.nUnshown]).toEqual([0, 10, 1, 1]);
    expect([...colourBytes(values, scale)]).toEqual([0, 127, 254, MISSING, MISSING]);
  });

  it('show a column with one value in the middle', () => {
    for (const kind of ['linear', 'log', 'quantile'] as const) {
      const scale = scaleOf([3, 3, 3], kind);
      expect([...colourBytes([3, NaN], scale)]).toEqual([127, MISSING]);
    }
  });

  it('count what a logarithm cannot show', () => {
    const values = [0, -2, 1, 10, 100];
    const scale = scaleOf(values, 'log');
    expect([scale.low, scale.high, scale.nUnshown]).toEqual([1, 100, 2]);
    expect([...colourBytes(values, scale)]).toEqual([MISSING, MISSING, 0, 127, 254]);
    expect(valueAt(scale, 0.5)).toBeCloseTo(10, 9);
  });

  it('rank a column as they rank each value by itself', () => {
    // Ties, a far outlier, values below, between and above the steps, and none.
    const values = Float32Array.from({ length: 20_000 }, (_, i) => Math.fround(i % 7 === 0 ? 3 : Math.exp(((i * 7_919) % 1_000) / 90)));
    values.set([NaN, Infinity, -Infinity, 1e30, -5]);
    for (const of of [values, values.map((v) => -v), values.map((v) => Math.round(v % 5))]) {
      const scale = scaleOf(of.subarray(10), 'quantile', { low: 0.01, high: 0.01 });
      const bytes = colourBytes(of, scale);
      const alone = Uint8Array.from(of, (v) => (Number.isNaN(place(scale, v)) ? MISSING : Math.round(place(scale, v) * 254)));
      expect(bytes).toEqual(alone);
      expect(new Set(bytes).size).toBeGreaterThan(of === values ? 200 : 2);
    }
  });
  it('give each quantile as many colours', () => {
    const values = Array.from({ length: 10_001 }, (_, i) => (i / 10_000) ** 6);
    const scale = scaleOf(values, 'quantile');
    const bytes = colourBytes(values, scale);
    for (let i = 0; i <= 10_000; i += 500) expect(Math.abs(bytes[i] - (254 * i) / 10_000)).toBeLessThan(1.1);
    expect(place(scale, values[5_000])).toBeCloseTo(0.5, 2);
    expect(valueAt(scale, 0.5)).toBeCloseTo(values[5_000], 6);
    const tied = scaleOf([1, 1, 1, 1, 2], 'quantile');
    expect(place(tied, 1)).toBeLessThan(place(tied, 2));
  });

  it('clip what they are told to', () => {
    const values = Array.from({ length: 101 }, (_, i) => i);
    const scale = scaleOf(values, 'linear', { low: 0.1, high: 0.1 });
    expect([scale.low, scale.high]).toEqual([10, 90]);
    const bytes = colourBytes(values, scale);
    expect([bytes[0], bytes[10], bytes[90], bytes[100]]).toEqual([0, 0, 254, 254]);
  });

  it('survive having nothing', () => {
    const scale = scaleOf([NaN, NaN], 'quantile');
    expect([...colourBytes([NaN, 1], scale)][0]).toBe(MISSING);
    expect(scaleOf([], 'linear').nMissing).toBe(0);
    expect(quantile([], 0.5)).toBeNaN();
  });

  it('write round ticks', () => {
    expect(ticks(0, 1, 5)).toEqual([0, 0.2, 0.4, 0.6, 0.8, 1]);
    expect(ticks(-3, 12, 3)).toEqual([0, 5, 10]);
    expect(ticks(4, 4, 5)).toEqual([4]);
  });
});

describe('colours', () => {
  it('are those that were published', () => {
    expect(colourAt('viridis', 'light', 0)).toEqual([0x44, 0x01, 0x54]);
    expect(colourAt('viridis', 'dark', 1)).toEqual([0xfd, 0xe7, 0x25]);
    expect(colourAt('diverging', 'dark', 0.5)).toEqual([0xf7, 0xf7, 0xf7]);
  });

  it('keep one for missing values, unlike all others', () => {
    const table = sequential('viridis', 'dark');
    const missing = css(table, MISSING);
    for (let i = 0; i < MISSING; i++) expect(css(table, i)).not.toBe(missing);
  });

  it('go to the most frequent categories', () => {
    const texts = Array.from({ length: 20 }, (_, i) => `t${String(i).padStart(2, '0')}`);
    const codes = [...texts.keys(), 7, 7, 3, 0xffffffff];
    const { bytes, order, counts, nMissing } = categoryBytes(codes, texts, 0xffffffff);
    expect(order.slice(0, 3)).toEqual([7, 3, 0]);
    expect([counts[7], counts[3], nMissing]).toEqual([3, 2, 1]);
    expect([bytes[7], bytes[3], bytes[19], bytes[23]]).toEqual([0, 1, 11, MISSING]);
  });
});

describe('a part of a range', () => {
  it('is rounded outwards, with digits of the range', () => {
    expect(outwards(2_460_000.4, 2_460_000.6, 2_460_000, 2_460_001)).toEqual([2_460_000.4, 2_460_000.6]);
    expect(outwards(2_460_000.40004, 2_460_000.60004, 2_460_000, 2_460_001)).toEqual([2_460_000.4, 2_460_000.601]);
    expect(outwards(12_345_678, 23_456_789, 0, 99_000_000)).toEqual([12_340_000, 23_460_000]);
    expect(outwards(-0.123456, 0.2, -1, 1)).toEqual([-0.124, 0.2]);
  });

  it('ends as exactly as the range does', () => {
    const [low, high] = [0.123456789, 0.987654321];
    expect(outwards(low, high, low, high)).toEqual([low, high]);
    expect(outwards(low - 1, high + 1, low, high)).toEqual([low, high]);
    expect(outwards(low + 1e-6, high - 1e-6, low, high)).toEqual([low, high]);
    expect(outwards(5, 5, 5, 5)).toEqual([5, 5]);
  });

  it('holds what it was asked for, whatever the range', () => {
    for (const [low, high] of [[0, 1], [-1e-9, 3e-9], [2_460_000, 2_460_000.001], [1e15, 1e15 + 64], [-1e30, 2e30], [1, 1 + 4 * Number.EPSILON], [0, 5e-90]]) {
      for (let i = 0; i <= 20; i++) {
        const [from, to] = [low + ((high - low) * i) / 40, Math.min(high, low + ((high - low) * (i + 20)) / 40)];
        const [a, b] = outwards(from, to, low, high);
        expect(a >= low && a <= from && b >= to && b <= high && from - a <= 2e-2 * (high - low) && b - to <= 2e-2 * (high - low), `${low} to ${high}, ${i}: ${a} ${b}`).toBe(true);
      }
    }
  });
});
