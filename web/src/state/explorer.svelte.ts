/**
 * What the explorer shows: the address says what is wanted, this fetches it, one column a request, and counts on the
 * server. Selections are a predicate and a region, never a list of ids.
 */
import { column as readColumn, NO_TEXT, type Column } from '../api/arrow';
import { bytes, json, Problem, type Asked } from '../api/client';
import type { ColumnView, Found, Row, Rows, TableView } from '../api/types';
import { bounds, frame, fromData, type Frame } from '../lib/camera';
import { categorical, categoryBytes, sequential, type Table } from '../lib/colour';
import { all } from '../lib/filter';
import { levels, Mask } from '../lib/mask';
import { spanOf } from '../lib/order';
import { colourBytes, scaleOf, type Scale } from '../lib/scale';
import { changed, read, write, type View } from '../lib/url';
import type { Blend, Colours } from '../points/layer';
import { Picker } from '../points/pick';
import { onDestroy } from 'svelte';
import { page } from './page.svelte';
import { Resource } from './resource.svelte';
import { fetchSoon, howMany } from './soon';
import { Thumbs } from './thumbs';

/** Points in the unit square, ready to be drawn. */
export interface Places {
  readonly x: string;
  readonly y: string;
  readonly u: Float32Array;
  readonly v: Float32Array;
  readonly frame: Frame;
  readonly nShown: number;
  /** By their place: at once, for who cannot wait. */
  readonly picker: () => Picker;
  /** The same when it is ready; it is made once, in steps, for all that ask. */
  readonly indexed: () => Promise<Picker | null>;
}

/** A column as colours, and what its legend says. */
export interface Coloured {
  readonly column: string;
  readonly colours: Colours;
  readonly scale: Scale | null;
  readonly categories: { text: string; n: number; index: number }[];
  readonly nOthers: number;
  readonly nMissing: number;
}

/** What the server counted, and which rows it means. */
export interface Selected {
  readonly found: Found;
  /** Of which table, filters and region this is the answer; and of which filter alone. */
  readonly meant: string;
  readonly table: string;
  readonly filter: string | null;
  readonly passing: Mask | null;
  readonly selected: Mask | null;
  readonly levels: Uint8Array | null;
}

export class Explorer {
  view: View = $derived(read(page.search));
  places = new Resource<Places>();
  coloured = new Resource<Coloured>();
  panels = $state.raw<Coloured[]>([]);
  selection = new Resource<Selected>();
  focus = new Resource<Row | null>();
  /** How points are drawn until the server has said which are selected: as the page itself counts them. */
  private guess = $state.raw<Uint8Array | null>(null);
  /** How points are drawn; `null` for all alike. */
  levels: Uint8Array | null = $derived(this.guess ?? this.selection.data?.levels ?? null);
  private columns = new Map<string, Promise<Column>>();
  private sprites = new Map<string, Thumbs>();
  private isGone = false;

  constructor() {
    onDestroy(() => (this.isGone = true));
  }

  get tables(): TableView[] {
    return page.project.data?.tables ?? [];
  }

  table: TableView | null = $derived(
    this.tables.find((table) => table.name === this.view.table) ?? this.tables[0] ?? null,
  );

  /** The columns of the axes: those of the address, else a map, else the first two of numbers. */
  axes: { x: string; y: string } | null = $derived.by(() => {
    const table = this.table;
    if (!table) return null;
    const has = (name: string) => table.columns.some((c) => c.name === name && c.kind === 'number');
    if (has(this.view.x) && has(this.view.y)) return { x: this.view.x, y: this.view.y };
    if (table.maps[0]) return table.maps[0];
    // An end of an interval says nothing beside what it is an end of.
    const numbers = table.columns.filter(
      (c) => c.kind === 'number' && (c.high ?? 0) > (c.low ?? 0) && !isEnd(c.name),
    );
    const shares = numbers.filter((c) => /^(consensus|predicted)\(/.test(c.name));
    const [x, y] = shares.length > 1 ? shares : numbers;
    return x && y ? { x: x.name, y: y.name } : null;
  });

  filter: string | null = $derived(all(this.view.filters));

  /** What a query's body says of the rows that are meant. */
  which(filters: readonly string[] = this.view.filters) {
    const region =
      this.view.shapes.length && this.axes ? { ...this.axes, shapes: this.view.shapes } : undefined;
    return { filter: all(filters) ?? undefined, region };
  }

  /** Changes the view; `isStep` where Back should undo it. */
  set(change: Partial<View>, isStep = true): void {
    page.put(write(changed(this.view, change)), isStep);
  }

  columnView(name: string): ColumnView | null {
    return this.table?.columns.find((column) => column.name === name) ?? null;
  }

  /** A column, fetched once. */
  column(name: string, asked: Asked = {}): Promise<Column> {
    const table = this.table;
    if (!table) return Promise.reject(new Error('there is no table'));
    const key = `${table.name}\n${name}`;
    const known = this.columns.get(key);
    if (known) return known;
    const path = `/tables/${encodeURIComponent(table.name)}/columns/${encodeURIComponent(name)}`;
    // Not aborted with who asked first: others may wait for it too.
    const made = bytes(path, { progress: asked.progress }).then((b) => {
      try {
        return readColumn(b, table.n_rows);
      } catch {
        // What the reader says of it is of bytes, and nobody here can do more about them.
        throw new Problem('A column did not come whole', `The answer with ${name} broke off on its way. Look whether \`volary serve\` still runs, and try again.`, 0, '', 'broken-off');
      }
    });
    this.columns.set(key, made);
    made.catch(() => this.columns.delete(key));
    // What is not looked at any more makes room.
    if (this.columns.size > 24) this.columns.delete(this.columns.keys().next().value as string);
    return made;
  }

  async numbers(name: string, asked: Asked = {}): Promise<Float32Array | Float64Array> {
    const column = await this.column(name, asked);
    if (column.kind !== 'number') throw new Error(`column ${name} holds no numbers`);
    return column.values;
  }

  /** Thumbnails of the table's rows. */
  thumbs(): Thumbs {
    const [table, axes] = [this.table?.name ?? '', this.axes];
    const key = `${table}\n${axes?.x}\n${axes?.y}`;
    let found = this.sprites.get(key);
    if (!found) {
      found = new Thumbs(table, axes);
      this.sprites.set(key, found);
    }
    return found;
  }

  loadPlaces(): void {
    const axes = this.axes;
    const table = this.table;
    if (!axes || !table) return;
    const isMap = table.maps.some((map) => map.x === axes.x && map.y === axes.y);
    void this.places.load(async (asked) => {
      const began = performance.now();
      const [x, y] = await Promise.all([this.numbers(axes.x, asked), this.numbers(axes.y, asked)]);
      this.lookAhead(table, howMany(x.byteLength, x.byteLength + y.byteLength, performance.now() - began));
      const made = frame(bounds(x) ?? [0, 1], bounds(y) ?? [0, 1], isMap);
      const u = new Float32Array(x.length);
      const v = new Float32Array(y.length);
      let nShown = 0;
      for (let i = 0; i < x.length; i++) {
        u[i] = (x[i] - made.x0) * made.sx;
        v[i] = (y[i] - made.y0) * made.sy;
        // Infinity has no place either.
        if (u[i] - u[i] === 0 && v[i] - v[i] === 0) nShown++;
        else u[i] = v[i] = NaN;
      }
      let picker: Picker | null = null;
      let coming: Promise<Picker | null> | null = null;
      const indexed = () =>
        (coming ??= Picker.slowly(u, v, () => !picker).then((one) => (picker ??= one)));
      return { ...axes, u, v, frame: made, nShown, picker: () => (picker ??= new Picker(u, v)), indexed };
    });
  }

  /** The first columns that may be wanted as colours. */
  private lookAhead(table: TableView, n: number): void {
    const wanted = table.columns.filter((c) => (c.kind === 'number' || c.is_category) && !isPlace(c.name));
    const isWanted = () => this.table === table && !this.isGone;
    const names = wanted.slice(0, n).map((c) => c.name);
    const prepare = async (name: string) => {
      const column = await this.column(name);
      if (column.kind === 'number') spanOf(column.values);
    };
    void fetchSoon(names, prepare, () => page.touched, isWanted);
  }

  async colour(name: string, asked: Asked = {}): Promise<Coloured> {
    const [view, theme] = [this.view, page.theme];
    const column = await this.column(name, asked);
    if (column.kind === 'text') {
      const { bytes: indices, order, counts, nMissing } = categoryBytes(column.codes, column.texts, NO_TEXT);
      const listed = order.slice(0, 11).map((code, index) => ({ text: column.texts[code], n: counts[code], index }));
      const nOthers = order.slice(11).reduce((sum, code) => sum + counts[code], 0);
      const colours = { bytes: indices, table: categorical(theme), blend: 'category' as Blend };
      return { column: name, colours, scale: null, categories: listed, nOthers, nMissing };
    }
    const clip = view.clip / 100;
    const scale = scaleOf(column.values, view.scale, { low: clip, high: clip });
    const table: Table = sequential(view.palette, theme);
    const colours = { bytes: colourBytes(column.values, scale), table, blend: view.show as Blend };
    return { column: name, colours, scale, categories: [], nOthers: 0, nMissing: scale.nMissing + scale.nUnshown };
  }

  loadColour(): void {
    const name = this.view.colour;
    if (!name || !this.columnView(name)) {
      this.coloured.data = null;
      this.coloured.problem = null;
      return;
    }
    void this.coloured.load((asked) => this.colour(name, asked));
  }

  async loadPanels(): Promise<void> {
    const names = this.view.panels.filter((name) => this.columnView(name));
    const made = await Promise.allSettled(names.map((name) => this.colour(name)));
    this.panels = made.filter((m) => m.status === 'fulfilled').map((m) => m.value);
    const failed = made.find((m) => m.status === 'rejected');
    if (failed) page.say(`a panel is missing: ${failed.reason instanceof Problem ? failed.reason.detail : String(failed.reason)}`);
  }

  /** What a question is about, as a text. */
  private keyOf(filters: readonly string[], histograms: readonly string[]): string {
    return JSON.stringify([this.table?.name, this.which(filters), histograms]);
  }

  /** Asks the server what a filter and the region select. */
  async ask(filters: readonly string[], histograms: readonly string[], asked: Asked): Promise<Selected> {
    const table = this.table;
    if (!table) throw new Error('there is no table');
    const meant = this.keyOf(filters, []);
    const last = this.selection.data;
    // Other histograms of the same rows: which rows they are is known.
    const isKnown = last !== null && last.meant === meant;
    const body = { ...this.which(filters), histograms, masks: !isKnown };
    const found = await json<Found>(`/tables/${encodeURIComponent(table.name)}/query`, { ...asked, body });
    if (isKnown) return { ...last, found };
    const mask = (text: string | undefined) => (text === undefined ? null : Mask.decode(text, table.n_rows));
    const [passing, selected] = [mask(found.passing), mask(found.selected)];
    return { found, meant, table: table.name, filter: all(filters), passing, selected, levels: levels(table.n_rows, passing, selected) };
  }

  /**
   * Adds a filter as the server writes it; throws where it cannot be followed. That, and what is then selected, are
   * asked at once: a fault is said of this filter alone, and nobody waits twice.
   */
  async addChecked(filter: string): Promise<void> {
    const answer = this.ask([...this.view.filters, filter], this.counted(), {});
    answer.catch(() => {});
    // Where it is the only one, what is then selected says it all.
    const path = `/tables/${encodeURIComponent(this.table?.name ?? '')}/query`;
    const isAlone = this.view.filters.length === 0;
    const checked = isAlone ? answer.then((one) => one.found) : json<Found>(path, { body: { filter } });
    const canonical = (await checked).filter ?? filter;
    if (this.view.filters.includes(canonical)) return;
    const filters = [...this.view.filters, canonical];
    const meant = { meant: this.keyOf(filters, []), filter: all(filters) };
    this.ahead = { key: this.keyOf(filters, this.counted()), answer: answer.then((found) => ({ ...found, ...meant })) };
    this.ahead.answer.catch(() => {});
    this.set({ filters });
  }
  private ahead: { key: string; answer: Promise<Selected> } | null = null;

  loadSelection(): void {
    if (!this.table) return;
    const [filters, histograms] = [this.view.filters, this.counted()];
    const ahead = this.ahead?.key === this.keyOf(filters, histograms) ? this.ahead.answer : null;
    this.ahead = null;
    const guess = ahead ? null : this.guessed();
    this.guess = guess;
    const found = async (asked: Asked) => {
      // First its picture, then the server: on two cores each would make the other wait.
      if (guess) await pictured();
      const found = await (ahead ?? this.ask(filters, histograms, asked));
      // Where it was guessed right there is nothing to draw anew.
      return guess && found.levels && isSame(guess, found.levels) ? { ...found, levels: guess } : found;
    };
    void this.selection.load(found).then((data) => {
      if (data || this.selection.problem) this.guess = null;
    });
  }

  /**
   * A region as it will be, for the picture only: places here have 32 bits, and a point on the very border may
   * lie on its other side. What is counted is what the server says.
   */
  private guessed(): Uint8Array | null {
    const [places, table, axes, last] = [this.places.data, this.table, this.axes, this.selection.data];
    if (!places || !table || !axes || !last || this.view.shapes.length === 0) return null;
    if (places.x !== axes.x || places.y !== axes.y || places.u.length !== table.n_rows) return null;
    if (last.table !== table.name || last.filter !== this.filter) return null;
    const region = new Mask(new Uint8Array(Math.ceil(table.n_rows / 8)), table.n_rows);
    const picker = places.picker();
    for (const shape of this.view.shapes) {
      const points = shape.points.map(([x, y]) => fromData(places.frame, x, y));
      picker.mark(points, region.bits, shape.op === 'add');
    }
    return levels(table.n_rows, last.passing, region);
  }

  /** Columns with a histogram: those of the address, else what is looked at. */
  histograms(): string[] {
    const chosen = this.view.histograms;
    const known = (chosen ?? []).filter((name) => this.columnView(name));
    // Nobody asked for any: not those that the page proposes either. An address of another table is no choice.
    if (known.length || chosen?.length === 0) return known;
    const columns = this.table?.columns ?? [];
    const wanted = columns.filter(
      (c) => (c.kind === 'number' ? (c.high ?? 0) > (c.low ?? 0) : c.is_category) && !isPlace(c.name),
    );
    const first = this.columnView(this.view.colour) ? [this.view.colour] : [];
    return [...new Set([...first, ...wanted.slice(0, 4).map((c) => c.name)])].slice(0, 5);
  }

  /** Columns that are counted: those with a histogram, and the classes of the legend. */
  private counted(): string[] {
    const { colour } = this.view;
    return [...new Set([...this.histograms(), ...(this.columnView(colour)?.is_category ? [colour] : [])])];
  }

  async rows(body: object, asked: Asked = {}): Promise<Rows> {
    return json<Rows>(`/tables/${encodeURIComponent(this.table?.name ?? '')}/rows`, { ...asked, body });
  }

  loadFocus(): void {
    const id = this.view.focus;
    if (!id) {
      this.focus.data = null;
      return;
    }
    if (this.focus.data?.subject_id === id) return;
    void this.focus.load(async (asked) => {
      const filter = `subject_id = '${id.replaceAll("'", "''")}'`;
      return (await this.rows({ filter, limit: 1 }, asked)).rows[0] ?? null;
    });
  }

  addFilter(filter: string): void {
    if (!this.view.filters.includes(filter)) this.set({ filters: [...this.view.filters, filter] });
  }

  dropFilter(at: number): void {
    this.set({ filters: this.view.filters.filter((_, i) => i !== at) });
  }
}

/** After the next picture; where none is made (a page behind another), soon. */
function pictured(): Promise<void> {
  return new Promise((then) => {
    requestAnimationFrame(() => setTimeout(then));
    setTimeout(then, 200);
  });
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** Whether a column is one of the numbers of a vector. */
export function isPart(name: string): boolean {
  return /^[ze]\d+$/.test(name);
}

/** Whether a column is an end of an interval. */
function isEnd(name: string): boolean {
  return /_(low|high)(\(|$)/.test(name);
}

/** Whether a column says where a point is drawn, which nobody filters by its number. */
function isPlace(name: string): boolean {
  return ['x', 'y', 'z'].includes(name) || isPart(name) || /_(x|y)(\(|$)/.test(name) || isEnd(name);
}
