import { describe, expect, it } from 'vitest';
import { WHOLE } from '../src/lib/camera';
import { declutter } from '../src/points/declutter';
import { Picker } from '../src/points/pick';

/** The same numbers each time. */
function noise(n: number, seed: number): Float32Array {
  let state = seed;
  return Float32Array.from({ length: n }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  });
}

describe('picking', () => {
  const [u, v] = [noise(5_000, 1), noise(5_000, 2)];
  u[17] = v[17] = NaN;
  const picker = new Picker(u, v);

  it('finds what looking at every point finds', () => {
    const [pu, pv] = [noise(300, 3), noise(300, 4)];
    for (let i = 0; i < 300; i++) {
      let [best, row] = [0.02 ** 2, -1];
      for (let r = 0; r < u.length; r++) {
        const d = (u[r] - pu[i]) ** 2 + (v[r] - pv[i]) ** 2;
        if (d < best && r % 2 === 0) [best, row] = [d, r];
      }
      expect(picker.nearest(pu[i], pv[i], 0.02, (r) => r % 2 === 0)).toBe(row < 0 ? null : row);
    }
  });

  it('finds nothing where nothing is', () => {
    expect(picker.nearest(5, 5, 0.01, () => true)).toBeNull();
    expect(picker.nearest(0.5, 0.5, 0.5, () => false)).toBeNull();
    let n = 0;
    picker.each(0, 0, 1, 1, () => n++);
    expect(n).toBe(4_999);
  });

  it('shows one thumbnail a cell, the highest, and counts the others', () => {
    const size = { width: 700, height: 500 };
    const rank = noise(5_000, 9);
    const thumbs = declutter(picker, u, v, WHOLE, size, { cell: 70, counts: () => true, hasImage: (r) => r % 3 === 0, rank: (r) => rank[r] });
    expect(thumbs.length).toBeGreaterThan(30);
    expect(thumbs.length).toBeLessThanOrEqual(70);
    expect(thumbs.reduce((sum, t) => sum + t.n, 0)).toBeGreaterThan(4_800);
    for (const one of thumbs) {
      expect(one.row % 3).toBe(0);
      for (const other of thumbs) if (other !== one) expect(Math.abs(one.x - other.x) >= 69 || Math.abs(one.y - other.y) >= 69).toBe(true);
    }
    const again = declutter(picker, u, v, WHOLE, size, { cell: 70, counts: () => true, hasImage: (r) => r % 3 === 0, rank: (r) => rank[r] });
    expect(again).toEqual(thumbs);
  });
});
