/** A table of a copy: its columns in full, read from files when they are first asked for. */
import { exact, rows as readRows, type Column } from '../api/arrow';
import type { TableView } from '../api/types';

export type { Column };
export const UNKNOWN = 2;

/** Where a copy has what of a table; as `volary export page` writes it. */
export interface CopiedTable extends TableView {
  readonly copy: {
    readonly files: Readonly<Record<string, string>>;
    readonly ids: string;
    readonly folder: string;
    readonly n_sheets: number;
    readonly per_sheet: number;
    readonly has_vectors: boolean;
    readonly boundaries: readonly { quantity: string; file: string }[];
  };
}

export class NoFile extends Error {}

export async function file(name: string): Promise<Response> {
  const response = await fetch(`./${name}`);
  if (!response.ok) throw new NoFile(`${name} is not in this copy (${response.status})`);
  return response;
}

async function bytes(name: string): Promise<Uint8Array> {
  return new Uint8Array(await (await file(name)).arrayBuffer());
}

export class CopyTable {
  private columns = new Map<string, Promise<Column>>();
  private once = new Map<string, Promise<unknown>>();

  constructor(readonly view: CopiedTable) {}

  /** Whether the copy has a column of this name: its own, whatever else an object answers to. */
  has(name: string): boolean {
    return Object.hasOwn(this.view.copy.files, name);
  }

  column(name: string): Promise<Column> {
    const path = this.view.copy.files[name];
    let made = this.columns.get(name);
    if (!made) {
      made = bytes(path).then((b) => exact(b, this.view.n_rows));
      this.columns.set(name, made);
      made.catch(() => this.columns.delete(name));
    }
    return made;
  }

  /** Something that is read once. */
  private held<T>(name: string, read: () => Promise<T>): Promise<T> {
    const known = this.once.get(name) as Promise<T> | undefined;
    if (known) return known;
    const made = read();
    this.once.set(name, made);
    made.catch(() => this.once.delete(name));
    return made;
  }

  ids(): Promise<string[]> {
    return this.held('ids', async () => {
      const column = exact(await bytes(this.view.copy.ids), this.view.n_rows);
      return column.kind === 'number' ? [] : Array.from(column.codes, (code) => column.texts[code]);
    });
  }

  rowOf(): Promise<Map<string, number>> {
    return this.held('rowOf', async () => new Map((await this.ids()).map((id, row) => [id, row])));
  }

  /** Rows with a thumbnail, in the order of the sheets. */
  order(): Promise<Uint32Array> {
    return this.held('order', async () =>
      this.view.copy.n_sheets ? readRows(await bytes(`${this.view.copy.folder}/order.arrow`)) : new Uint32Array(0),
    );
  }

  hasImage(): Promise<Set<number>> {
    return this.held('images', async () => new Set(await this.order()));
  }

  sheet(n: number): Promise<Response> {
    return file(`${this.view.copy.folder}/sheet-${n}.jpg`);
  }

  /** The vectors, and the row of each. */
  vectors(): Promise<{ values: Float32Array; rows: Uint32Array; width: number } | null> {
    return this.held('vectors', async () => {
      const width = this.view.vector_length ?? 0;
      if (!this.view.copy.has_vectors || !width) return null;
      const [values, rows] = await Promise.all([
        bytes(`${this.view.copy.folder}/vectors.arrow`),
        bytes(`${this.view.copy.folder}/vector-rows.arrow`),
      ]);
      return { values: readRows(values) as unknown as Float32Array, rows: readRows(rows), width };
    });
  }
}

/** The number of a row; NaN of what is no number. */
export function numberAt(column: Column, row: number): number {
  return column.kind === 'number' ? column.values[row] : NaN;
}

/** Whether a row has a value. */
export function isIn(column: Column, row: number): boolean {
  return column.kind === 'number' ? !Number.isNaN(column.values[row]) : column.codes[row] < column.texts.length;
}

/** What a row holds, as the API says it. */
export function cell(column: Column, row: number, isBoolean: boolean): number | string | boolean | null {
  if (column.kind === 'number') return Number.isFinite(column.values[row]) ? column.values[row] : null;
  const text = column.texts[column.codes[row]];
  return text === undefined ? null : isBoolean ? text === 'true' : text;
}
