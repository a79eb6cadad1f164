import { describe, expect, it } from 'vitest';
import { Mask } from '../src/lib/mask';
import { inside, type Point } from '../src/lib/region';
import { Bins, COUNT, HAS_FADED, HAS_GHOST, HAS_MISSING, IS_FADED, IS_GHOST, NO_COLOUR, type Coded, type Fit } from '../src/points/bins';
import { Picker } from '../src/points/pick';

/** The same numbers each time. */
function noise(n: number, seed: number): Float32Array {
  let state = seed;
  return Float32Array.from({ length: n }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  });
}

const N = 6_000;
const [u, v] = [noise(N, 5), noise(N, 6)];
u[3] = v[3] = NaN;
const codes = Uint16Array.from(noise(N, 7), (x) => (x < 0.8 ? (x * 254) / 0.8 : x < 0.87 ? NO_COLOUR : x < 0.94 ? IS_FADED : IS_GHOST));
const points: Coded = { u, v, codes };
const [W, H] = [61, 47];
const all = { x0: 0, y0: 0, x1: W, y1: H };

function filled(fit: Fit, side: number, blend: 'mean' | 'max' | 'category') {
  const bins = new Bins(W, H);
  const n = bins.add(points, 0, N, fit, all, side, blend);
  return { bins, n };
}

describe('bins', () => {
  it('hold what looking at every pixel finds', () => {
    const fit = { s: 80, left: -8.3, top: 61.9, dx: 0, dy: 0 };
    const { bins, n } = filled(fit, 1, 'mean');
    let inView = 0;
    const [count, sum, other] = [new Uint32Array(W * H), new Uint32Array(W * H), new Uint32Array(W * H)];
    for (let i = 0; i < N; i++) {
      const [x, y] = [Math.floor(fit.left + u[i] * fit.s), Math.floor(fit.top - v[i] * fit.s)];
      if (!(x >= 0 && x < W && y >= 0 && y < H)) continue;
      inView++;
      const at = y * W + x;
      if (codes[i] < NO_COLOUR) {
        count[at]++;
        sum[at] += codes[i];
      } else other[at] |= codes[i] === NO_COLOUR ? HAS_MISSING : codes[i] === IS_FADED ? HAS_FADED : HAS_GHOST;
    }
    expect(n).toBe(inView);
    expect(inView).toBeGreaterThan(1_000);
    const first = bins.all.filter((_, i) => i % 2 === 0);
    expect([...first.map((word) => word & COUNT)]).toEqual([...count]);
    expect([...bins.all.filter((_, i) => i % 2 === 1)]).toEqual([...sum]);
    expect([...first.map((word) => word & ~COUNT)]).toEqual([...other]);
  });

  it('moved by pixels, with the strips counted, hold what counting everything there gives', () => {
    for (const blend of ['mean', 'max', 'category'] as const) {
      for (const side of [1, 2, 5]) {
        const fit = { s: 80, left: -8.3, top: 61.9, dx: 0, dy: 0 };
        const { bins } = filled(fit, side, blend);
        let [dx, dy] = [0, 0];
        for (const [byX, byY] of [[3, 0], [0, -4], [-7, 5], [12, 9], [-1, -1], [-20, -13], [0, 0]]) {
          [dx, dy] = [dx + byX, dy + byY];
          for (const strip of bins.move(byX, byY)) bins.add(points, 0, N, { ...fit, dx, dy }, strip, side, blend);
          const anew = filled({ ...fit, dx, dy }, side, blend).bins;
          expect(bins.all, `${blend} ${side} ${dx} ${dy}`).toEqual(anew.all);
        }
      }
    }
  });

  it('clip at pixels that are negative, far away, or none', () => {
    const far: Coded = { u: Float32Array.of(0, 1, NaN, 0.5), v: Float32Array.of(0, 1, NaN, 0.5), codes: new Uint16Array(4) };
    const bins = new Bins(4, 4);
    // The middle one falls into the pixel left of the view, not by cutting off its sign into the first.
    expect(bins.add(far, 0, 4, { s: 1e7, left: -5e6 - 0.5, top: 5e6 + 2, dx: 0, dy: 0 }, { x0: 0, y0: 0, x1: 4, y1: 4 }, 1, 'mean')).toBe(0);
    expect(bins.add(far, 0, 4, { s: 1e7, left: -5e6 + 0.5, top: 5e6 + 2, dx: 0, dy: 0 }, { x0: 0, y0: 0, x1: 4, y1: 4 }, 1, 'mean')).toBe(1);
    expect(bins.all[2 * (2 * 4)]).toBe(1);
  });
});

describe('the order of places', () => {
  const picker = new Picker(u, v);

  /** The points (the one without a place aside) of which the mask says something else. */
  const wrong = (mask: Mask, isMarked: (i: number) => boolean) =>
    Array.from({ length: N }, (_, i) => i).filter((i) => i !== 3 && mask.has(i) !== isMarked(i));

  it('holds each point once, beside its neighbours', () => {
    expect([...picker.rows].sort((a, b) => a - b)).toEqual(Array.from({ length: N }, (_, i) => i).filter((i) => i !== 3));
    let n = 0;
    picker.ranges(0.2, 0.3, 0.4, 0.5, (from, to) => {
      for (let at = from; at < to; at++) {
        expect(picker.sorted.u[at]).toBe(u[picker.rows[at]]);
        expect(u[picker.rows[at]]).toBeGreaterThan(0.195);
        expect(v[picker.rows[at]]).toBeLessThan(0.505);
        n++;
      }
    });
    let least = 0;
    for (let i = 0; i < N; i++) if (u[i] >= 0.2 && u[i] <= 0.4 && v[i] >= 0.3 && v[i] <= 0.5) least++;
    expect(n).toBeGreaterThanOrEqual(least);
  });

  it('marks in a polygon what looking at every point finds', () => {
    const [px, py] = [noise(4_000, 21), noise(4_000, 22)];
    for (let k = 0; k < 40; k++) {
      // Any corners, crossing edges too; some outside of the square.
      const corners: Point[] = Array.from({ length: 3 + (k % 30) }, (_, i) => [1.4 * px[k * 40 + i] - 0.2, 1.4 * py[k * 40 + i] - 0.2]);
      if (k % 5 === 0) corners[1] = [corners[0][0] + 0.3, corners[0][1]];
      if (k % 7 === 0) corners[2] = [corners[1][0], corners[1][1] + 0.3];
      const mask = new Mask(new Uint8Array(Math.ceil(N / 8)), N);
      picker.mark(corners, mask.bits, true);
      expect(wrong(mask, (i) => inside(corners, u[i], v[i])), `polygon ${k}`).toEqual([]);
      expect(mask.has(3)).toBe(false);
      picker.mark(corners.slice(0, 3), mask.bits, false);
      const isLeft = (i: number) => inside(corners, u[i], v[i]) && !inside(corners.slice(0, 3), u[i], v[i]);
      expect(wrong(mask, isLeft), `polygon ${k}, a part taken away`).toEqual([]);
    }
  });

  it('is the same when it is made in steps', async () => {
    const slow = await Picker.slowly(u, v, () => true);
    expect(slow?.rows).toEqual(picker.rows);
    expect(await Picker.slowly(u, v, () => false)).toBeNull();
  });
});
