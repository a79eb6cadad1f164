/**
 * Which thumbnails are shown: one a cell of the screen, so that none overlaps, with the number of points that it
 * stands for.
 */
import { pxPerUnit, toUnit, type Camera, type Size } from '../lib/camera';
import type { Picker } from './pick';

export interface Thumb {
  readonly row: number;
  /** Points of its cell. */
  readonly n: number;
  /** Its place in pixels. */
  readonly x: number;
  readonly y: number;
}

export interface Rules {
  /** Side of a cell, px. */
  readonly cell: number;
  /** Rows that may be shown. */
  readonly counts: (row: number) => boolean;
  /** Rows that have an image. */
  readonly hasImage: (row: number) => boolean;
  /** The colour index of a row: the highest of a cell is shown; `null` shows the most typical, in the middle. */
  readonly rank: ((row: number) => number) | null;
}

/** The thumbnails of a view, from the top left. */
export function declutter(
  picker: Picker,
  u: Float32Array,
  v: Float32Array,
  camera: Camera,
  size: Size,
  rules: Rules,
): Thumb[] {
  const nx = Math.max(1, Math.floor(size.width / rules.cell));
  const ny = Math.max(1, Math.floor(size.height / rules.cell));
  const [cw, ch] = [size.width / nx, size.height / ny];
  const s = pxPerUnit(camera, size);
  const [u0, v1] = toUnit(camera, size, 0, 0);
  const [u1, v0] = toUnit(camera, size, size.width, size.height);
  const n = new Uint32Array(nx * ny);
  const best = new Int32Array(nx * ny).fill(-1);
  const score = new Float64Array(nx * ny).fill(-Infinity);
  picker.each(u0, v0, u1, v1, (row) => {
    const x = (u[row] - u0) * s;
    const y = (v1 - v[row]) * s;
    if (!(x >= 0 && x < size.width && y >= 0 && y < size.height) || !rules.counts(row)) return;
    const [cx, cy] = [Math.min(nx - 1, (x / cw) | 0), Math.min(ny - 1, (y / ch) | 0)];
    const cell = cy * nx + cx;
    n[cell]++;
    if (!rules.hasImage(row)) return;
    const off = (x - (cx + 0.5) * cw) ** 2 + (y - (cy + 0.5) * ch) ** 2;
    const rank = rules.rank ? rules.rank(row) : -off;
    if (rank > score[cell] || (rank === score[cell] && row < best[cell])) {
      score[cell] = rank;
      best[cell] = row;
    }
  });
  const out: Thumb[] = [];
  for (let cell = 0; cell < n.length; cell++) {
    if (best[cell] < 0) continue;
    out.push({
      row: best[cell],
      n: n[cell],
      x: ((cell % nx) + 0.5) * cw,
      y: (Math.floor(cell / nx) + 0.5) * ch,
    });
  }
  return out;
}
