/**
 * Thumbnails of rows: many wishes become few requests. Where the wanted rows stand close together on the Hilbert curve
 * whole sheets are fetched, which the browser keeps; where they lie apart, one sheet of just these.
 */
import { rows as readRows } from '../api/arrow';
import { bytes, json, picture, query } from '../api/client';

/** A picture and where in it the thumbnail is. */
export interface Sprite {
  readonly image: ImageBitmap;
  readonly x: number;
  readonly y: number;
  readonly side: number;
}

interface Manifest {
  cell_px: number;
  per_row: number;
  per_sheet: number;
  n_sheets: number;
  n: number;
}

/** Rows that one request may name. */
const MOST = 256;
/** Thumbnails that are kept. */
const MAX_KEPT = 6_000;
const CELL = 64;
const PER_ROW = 16;

export class Thumbs {
  private kept = new Map<number, Sprite | null>();
  private wanted = new Map<number, (() => void)[]>();
  private asked = new Set<number>();
  private timer = 0;
  private order: { manifest: Manifest; place: Map<number, number>; rows: Uint32Array } | null = null;

  constructor(
    private readonly table: string,
    private readonly map: { x: string; y: string } | null,
  ) {}

  /** The thumbnail of a row if it is there; else it is fetched and `then` is called. */
  get(row: number, then: () => void): Sprite | null {
    const known = this.kept.get(row);
    if (known !== undefined) return known;
    const waiting = this.wanted.get(row);
    if (waiting) waiting.push(then);
    else this.wanted.set(row, [then]);
    if (!this.timer) this.timer = window.setTimeout(() => void this.fetch(), 25);
    return null;
  }

  private async fetch(): Promise<void> {
    this.timer = 0;
    if (!this.order && this.map && this.wanted.size > 8) await this.readOrder();
    const rows = [...this.wanted.keys()].filter((row) => !this.asked.has(row));
    if (this.kept.size > MAX_KEPT) this.kept.clear();
    const sheets = this.sheetsOf(rows);
    if (sheets && sheets.size <= Math.max(2, rows.length / 12)) {
      await Promise.all([...sheets].map(([sheet, of]) => this.bySheet(sheet, of)));
      return;
    }
    for (let at = 0; at < rows.length; at += MOST) await this.byRows(rows.slice(at, at + MOST));
  }

  private async readOrder(): Promise<void> {
    const place = `${encodeURIComponent(this.table)}`;
    try {
      const manifest = await json<Manifest>(`/sprites/${place}/manifest${query({ ...this.map })}`);
      // The order of many costs more than it saves.
      if (manifest.n > 200_000) return;
      const rows = readRows(await bytes(`/sprites/${place}/rows${query({ ...this.map })}`));
      this.order = { manifest, rows, place: new Map(Array.from(rows, (row, at) => [row, at])) };
    } catch {
      this.order = null;
    }
  }

  private sheetsOf(rows: readonly number[]): Map<number, number[]> | null {
    if (!this.order) return null;
    const out = new Map<number, number[]>();
    for (const row of rows) {
      const at = this.order.place.get(row);
      if (at === undefined) continue;
      const sheet = Math.floor(at / this.order.manifest.per_sheet);
      out.set(sheet, [...(out.get(sheet) ?? []), row]);
    }
    return out;
  }

  private async bySheet(sheet: number, rows: readonly number[]): Promise<void> {
    const order = this.order;
    if (!order) return;
    const first = sheet * order.manifest.per_sheet;
    const all = Array.from(order.rows.subarray(first, first + order.manifest.per_sheet));
    const path = `/sprites/${encodeURIComponent(this.table)}/sheets/${sheet}${query({ ...this.map })}`;
    await this.take(path, all, rows);
  }

  private async byRows(rows: readonly number[]): Promise<void> {
    if (rows.length === 0) return;
    const path = `/tables/${encodeURIComponent(this.table)}/thumbnails?rows=${rows.join(',')}`;
    await this.take(path, rows, rows);
  }

  /** Fetches a sheet whose cells are these rows; those that were wanted are told. */
  private async take(path: string, cells: readonly number[], wanted: readonly number[]): Promise<void> {
    for (const row of wanted) this.asked.add(row);
    let image: ImageBitmap | null = null;
    try {
      image = await createImageBitmap(await picture(path));
    } catch {
      // A missing picture is an empty cell; it is asked for again when it is wanted again.
    }
    cells.forEach((row, at) => {
      if (image) {
        const sprite = { image, x: (at % PER_ROW) * CELL, y: Math.floor(at / PER_ROW) * CELL, side: CELL };
        this.kept.set(row, sprite);
      }
    });
    for (const row of wanted) {
      this.asked.delete(row);
      const then = this.wanted.get(row) ?? [];
      this.wanted.delete(row);
      if (image) for (const one of then) one();
    }
  }
}
