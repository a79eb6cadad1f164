/**
 * Points by their place: a grid over the unit square, made once for a pair of columns. It finds what is under the
 * pointer, what lies in a part of the view, and what lies in a polygon, without looking at every point.
 */
import { edgesOf, isWound, type Edges, type Point } from '../lib/region';

/** Cells a side. */
const SIDE = 256;
/** Points that are put into their cells before others may do something. */
const AT_ONCE = 500_000;

export class Picker {
  /** Where each cell begins in {@link rows}; one more at the end. */
  private readonly first = new Uint32Array(SIDE * SIDE + 1);
  /** Rows that have a place, cell by cell, in the order of the table within a cell. */
  rows = new Uint32Array(0);
  private inOrder: { u: Float32Array; v: Float32Array } | null = null;

  constructor(
    private readonly u: Float32Array,
    private readonly v: Float32Array,
    work = true,
  ) {
    if (work) for (const step of this.build()) void step;
  }

  /** The same, made in steps between which the page answers; `isWanted` ends it early. */
  static async slowly(u: Float32Array, v: Float32Array, isWanted: () => boolean): Promise<Picker | null> {
    const made = new Picker(u, v, false);
    for (const step of made.build()) {
      void step;
      await new Promise((then) => setTimeout(then));
      if (!isWanted()) return null;
    }
    void made.sorted;
    return made;
  }

  private *build(): Generator<void> {
    const { first, u, v } = this;
    for (let from = 0; from < u.length; from += AT_ONCE) {
      count(u, v, from, Math.min(u.length, from + AT_ONCE), first);
      yield;
    }
    for (let cell = 0; cell < SIDE * SIDE; cell++) first[cell + 1] += first[cell];
    const next = first.slice();
    const rows = new Uint32Array(first[SIDE * SIDE]);
    for (let from = 0; from < u.length; from += AT_ONCE) {
      fill(u, v, from, Math.min(u.length, from + AT_ONCE), next, rows);
      yield;
    }
    this.rows = rows;
  }

  /** The places in the order of {@link rows}: neighbours in memory are neighbours on the screen. */
  get sorted(): { u: Float32Array; v: Float32Array } {
    if (!this.inOrder) {
      const { rows } = this;
      const [u, v] = [new Float32Array(rows.length), new Float32Array(rows.length)];
      for (let at = 0; at < rows.length; at++) {
        u[at] = this.u[rows[at]];
        v[at] = this.v[rows[at]];
      }
      this.inOrder = { u, v };
    }
    return this.inOrder;
  }

  /** The nearest row within a distance of a place in the unit square; of those that `counts` takes. */
  nearest(u: number, v: number, within: number, counts: (row: number) => boolean): number | null {
    let [best, found] = [within * within, -1];
    this.each(u - within, v - within, u + within, v + within, (row) => {
      const d = (this.u[row] - u) ** 2 + (this.v[row] - v) ** 2;
      if ((d < best || (d === best && row < found)) && counts(row)) [best, found] = [d, row];
    });
    return found < 0 ? null : found;
  }

  /** Every row in the cells that a rectangle touches; a few beyond it too. */
  each(u0: number, v0: number, u1: number, v1: number, see: (row: number) => void): void {
    this.ranges(u0, v0, u1, v1, (from, to) => {
      for (let at = from; at < to; at++) see(this.rows[at]);
    });
  }

  /** Where in {@link rows} the cells lie that a rectangle touches, a row of cells at a time. */
  ranges(u0: number, v0: number, u1: number, v1: number, see: (from: number, to: number) => void): void {
    const [x0, x1] = [clampCell(u0), clampCell(u1)];
    const [y0, y1] = [clampCell(v0), clampCell(v1)];
    if (x0 === 0 && x1 === SIDE - 1) {
      see(this.first[y0 * SIDE], this.first[(y1 + 1) * SIDE]);
      return;
    }
    for (let y = y0; y <= y1; y++) see(this.first[y * SIDE + x0], this.first[y * SIDE + x1 + 1]);
  }

  /**
   * Sets the bits (the first row lowest) of the rows that lie in a polygon of the unit square, or clears them. Where no
   * edge passes through a cell one look decides for all of it.
   */
  mark(points: readonly Point[], bits: Uint8Array, isIn: boolean): void {
    const all = edgesOf(points);
    const touched = touchedBy(all);
    const { rows, first } = this;
    const { u, v } = this.sorted;
    const [x0, x1] = cellsOf(points.map((p) => p[0]));
    const [y0, y1] = cellsOf(points.map((p) => p[1]));
    for (let y = y0; y <= y1; y++) {
      const near = reaching(all, y);
      for (let x = x0; x <= x1; x++) {
        const cell = y * SIDE + x;
        const from = first[cell];
        const to = first[cell + 1];
        if (from === to) continue;
        const isWhole = touched[cell] === 0;
        if (isWhole && !isWound(near, (x + 0.5) / SIDE, (y + 0.5) / SIDE)) continue;
        for (let at = from; at < to; at++) {
          if (!isWhole && !isWound(near, u[at], v[at])) continue;
          const row = rows[at];
          if (isIn) bits[row >> 3] |= 1 << (row & 7);
          else bits[row >> 3] &= ~(1 << (row & 7));
        }
      }
    }
  }
}

/** Cells that an edge may pass through; a few beside it too. */
function touchedBy(edges: Edges): Uint8Array {
  const out = new Uint8Array(SIDE * SIDE);
  for (let i = 0; i < edges.length; i += 4) {
    const [ax, ay, bx, by] = edges.subarray(i, i + 4);
    const [y0, y1] = cellsOf([ay, by]);
    for (let y = y0; y <= y1; y++) {
      // The part of the edge between the cell's lower and upper side, and a little more.
      const place = (v: number) => (by === ay ? NaN : ax + ((v - ay) / (by - ay)) * (bx - ax));
      const ends = [place(y / SIDE), place((y + 1) / SIDE)].map((x) => Math.min(Math.max(ax, bx), Math.max(Math.min(ax, bx), x)));
      const isFlat = ends.some(Number.isNaN);
      const [from, to] = isFlat ? [Math.min(ax, bx), Math.max(ax, bx)] : [Math.min(...ends), Math.max(...ends)];
      const [x0, x1] = [clampCell(from - 0.5 / SIDE), clampCell(to + 0.5 / SIDE)];
      out.fill(1, y * SIDE + x0, y * SIDE + x1 + 1);
    }
  }
  return out;
}

/** The edges that reach a row of cells: the others wind around none of its points. */
function reaching(edges: Edges, y: number): Edges {
  const out = new Float64Array(edges.length);
  let n = 0;
  for (let i = 0; i < edges.length; i += 4) {
    const ay = clampCell(edges[i + 1]);
    const by = clampCell(edges[i + 3]);
    if (Math.min(ay, by) > y || Math.max(ay, by) < y) continue;
    out.set(edges.subarray(i, i + 4), n);
    n += 4;
  }
  return out.subarray(0, n);
}

/** The first and the last cell along an axis that places lie in. */
function cellsOf(places: readonly number[]): [number, number] {
  return [clampCell(Math.min(...places)), clampCell(Math.max(...places))];
}

function clampCell(place: number): number {
  return Math.min(SIDE - 1, Math.max(0, Math.floor(place * SIDE)));
}

/** The cell of a place; -1 where there is none. Places lie in the unit square, but for what rounding did. */
function cellOf(u: number, v: number): number {
  if (u - u !== 0 || v - v !== 0) return -1;
  const x = u < 0 ? 0 : u >= 1 ? SIDE - 1 : (u * SIDE) | 0;
  const y = v < 0 ? 0 : v >= 1 ? SIDE - 1 : (v * SIDE) | 0;
  return y * SIDE + x;
}

function count(u: Float32Array, v: Float32Array, from: number, to: number, first: Uint32Array): void {
  for (let i = from; i < to; i++) {
    const cell = cellOf(u[i], v[i]);
    if (cell >= 0) first[cell + 1]++;
  }
}

function fill(u: Float32Array, v: Float32Array, from: number, to: number, next: Uint32Array, rows: Uint32Array): void {
  for (let i = from; i < to; i++) {
    const cell = cellOf(u[i], v[i]);
    if (cell >= 0) rows[next[cell]++] = i;
  }
}
