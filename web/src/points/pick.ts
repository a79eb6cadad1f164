/** Which point is under the pointer: a grid over the unit square, made once for a pair of columns. */

const SIDE = 256;

export class Picker {
  private readonly first: Uint32Array;
  private readonly rows: Uint32Array;

  constructor(
    private readonly u: Float32Array,
    private readonly v: Float32Array,
  ) {
    const first = new Uint32Array(SIDE * SIDE + 1);
    for (let i = 0; i < u.length; i++) {
      const cell = cellOf(u[i], v[i]);
      if (cell >= 0) first[cell + 1]++;
    }
    for (let cell = 0; cell < SIDE * SIDE; cell++) first[cell + 1] += first[cell];
    const next = first.slice();
    const rows = new Uint32Array(first[SIDE * SIDE]);
    for (let i = 0; i < u.length; i++) {
      const cell = cellOf(u[i], v[i]);
      if (cell >= 0) rows[next[cell]++] = i;
    }
    this.first = first;
    this.rows = rows;
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
    const [x0, x1] = [clampCell(u0), clampCell(u1)];
    const [y0, y1] = [clampCell(v0), clampCell(v1)];
    for (let y = y0; y <= y1; y++) {
      const end = this.first[y * SIDE + x1 + 1];
      for (let at = this.first[y * SIDE + x0]; at < end; at++) see(this.rows[at]);
    }
  }
}

function clampCell(place: number): number {
  return Math.min(SIDE - 1, Math.max(0, Math.floor(place * SIDE)));
}

function cellOf(u: number, v: number): number {
  if (Number.isNaN(u) || Number.isNaN(v)) return -1;
  return clampCell(v) * SIDE + clampCell(u);
}
