/**
 * A copy's answers: what the server would say, out of the files beside the page. Read only; what a copy does not hold
 * is a problem that says so.
 */
import type { Neighbours, Row } from '../api/types';
import { selecting, type Shape } from '../lib/region';
import { binned, histogram, type Binned } from './count';
import { check, Fault, names, parse, truth, type Kind, type Name } from './filter';
import { cell, CopyTable, file, NoFile, UNKNOWN, type CopiedTable, type Column } from './table';

interface Project {
  tables: CopiedTable[];
  has_whole_images: boolean;
  has_attention?: boolean;
  n_light_curves: number;
}

interface Which {
  filter?: string;
  region?: { x: string; y: string; shapes: Shape[] };
}

/** Why a copy cannot answer. */
class Refusal extends Error {
  constructor(
    readonly status: number,
    readonly kind: string,
    readonly title: string,
    detail: string,
    readonly errors: { pointer: string; code: string; message: string }[] = [],
  ) {
    super(detail);
  }
}
const nothing = (detail: string) => new Refusal(404, 'not-found', 'This copy does not hold it', detail);

const held = new Map<string, Promise<unknown>>();
function once<T>(name: string, read: () => Promise<T>): Promise<T> {
  const known = held.get(name) as Promise<T> | undefined;
  if (known) return known;
  const made = read();
  held.set(name, made);
  made.catch(() => held.delete(name));
  return made;
}
const project = () => once('project', async () => (await (await file('data/project.json')).json()) as Project);
const list = (name: string) => once(name, async () => new Map(((await (await file(name)).json()) as string[]).map((id, at) => [id, at])));
const images = async () => ((await project()).has_whole_images ? list('data/images.json') : new Map<string, number>());

const attention = async () => ((await project()).has_attention ? list('data/attention.json') : new Map<string, number>());

async function table(name: string): Promise<CopyTable> {
  const view = (await project()).tables.find((one) => one.name === name);
  if (!view) throw nothing('There is no such table.');
  return once(`table ${name}`, async () => new CopyTable(view));
}

const json = (value: unknown) => new Response(JSON.stringify(value), { headers: { 'content-type': 'application/json' } });

/** As the server would. */
export async function answer(path: string, body?: unknown): Promise<Response> {
  try {
    return await answered(path, body);
  } catch (error) {
    const said =
      error instanceof Refusal
        ? error
        : error instanceof NoFile
          ? new Refusal(404, 'not-found', 'A file is missing', `${error.message}; copy the whole folder to the web server.`)
          : new Refusal(500, 'failed', 'The copy failed', error instanceof Error ? error.message : String(error));
    const problem = { type: `/problems/${said.kind}`, title: said.title, detail: said.message, status: said.status, errors: said.errors };
    return new Response(JSON.stringify(problem), { status: said.status, headers: { 'content-type': 'application/problem+json' } });
  }
}

async function answered(path: string, body: unknown): Promise<Response> {
  const [where, search] = path.split('?', 2);
  const asked = new URLSearchParams(search ?? '');
  const [first, id, what, last] = where.split('/').slice(1).map(decodeURIComponent);
  if (first === 'project' && !id) return json(await project());
  if (first === 'labels') return json({ labels: [], n_log: 0 });
  if (first === 'slices') return file('data/slices.json');
  if (first === 'project' && id === 'subjects') return subject(what, last);
  if (first === 'tables') {
    const of = await table(id);
    if (what === 'columns') {
      if (!of.has(last)) throw nothing('There is no such column.');
      return file(of.view.copy.files[last]);
    }
    if (what === 'query') return json(await query(of, body as Which & { histograms?: string[]; masks?: boolean }));
    if (what === 'rows') return json(await rows(of, body as RowsQuery));
    if (what === 'neighbours') return json(await neighbours(of, asked));
    if (what === 'boundary') return boundary(of, body as { quantity: string });
    if (what === 'thumbnails') return thumbnails(of, (asked.get('rows') ?? '').split(',').map(Number));
  }
  throw nothing('A copy holds tables, images and light curves; for the rest ask whoever made it.');
}

async function subject(id: string, what: string | undefined): Promise<Response> {
  if (what === 'votes') return json({ subject_id: id, questions: [] });
  if (what === 'image') {
    const at = (await images()).get(id);
    if (at === undefined) throw nothing('There is no whole image of this subject.');
    return file(`data/images/${at}.png`);
  }
  if (what === 'attention') {
    const at = (await attention()).get(id);
    if (at === undefined) throw nothing('No model was asked what it looks at in this subject.');
    return file(`data/attention/${at}.png`);
  }
  if (what === 'light_curve') {
    const at = (await list('data/curves.json')).get(id);
    if (at === undefined) throw nothing('There is no light curve of this subject.');
    return file(`data/curves/${at}.json`);
  }
  if (what) throw nothing('Ask whoever made this copy.');
  const { tables } = await project();
  const found: { rows: Record<string, number>; values: Record<string, Row['values']> } = { rows: {}, values: {} };
  let [previous, next]: (string | undefined)[] = [];
  for (const [place, view] of tables.entries()) {
    const of = await table(view.name);
    const row = (await of.rowOf()).get(id);
    if (row === undefined) continue;
    found.rows[view.name] = row;
    found.values[view.name] = await values(of, row, view.columns.map((c) => c.name));
    if (place === 0) [previous, next] = [(await of.ids())[row - 1], (await of.ids())[row + 1]];
  }
  const [has_image, has_light_curve] = [(await images()).has(id), (await list('data/curves.json')).has(id)];
  if (Object.keys(found.rows).length === 0 && !has_image && !has_light_curve) throw nothing('There is no subject of this id.');
  const at = (await attention()).get(id);
  // Where the panels could not be read when the copy was made, there are none.
  const maps = at === undefined ? undefined : await file(`data/attention/${at}.json`).then((said) => said.json(), () => undefined);
  return json({ subject_id: id, has_image, has_light_curve, attention: maps, tags: [], ...found, previous, next });
}

async function values(of: CopyTable, row: number, columns: readonly string[]): Promise<Row['values']> {
  const kinds = new Map(of.view.columns.map((c) => [c.name, c.kind]));
  const entries = await Promise.all(
    columns.map(async (name) => {
      if (!kinds.has(name)) throw nothing(`There is no column ${name}.`);
      return [name, cell(await of.column(name), row, kinds.get(name) === 'boolean')] as const;
    }),
  );
  return Object.fromEntries(entries);
}

/** Which rows are meant: 1 where it holds. */
async function chosen(of: CopyTable, which: Which) {
  const n = of.view.n_rows;
  let passes: Uint8Array | null = null;
  let nUnknown = 0;
  const text = which.filter?.trim();
  if (text) {
    try {
      const node = parse(text);
      const known = (name: Name) => name.names.find((one) => of.has(one));
      const columns = new Map<string, Column>();
      for (const name of names(node)) {
        const found = known(name);
        if (found === undefined) throw new Fault(`there is no column ${JSON.stringify(name.names[0])} in this copy`, 0, text.length);
        columns.set(found, await of.column(found));
      }
      const kinds = new Map(of.view.columns.map((c) => [c.name, c.kind as Kind]));
      check(node, (name) => kinds.get(known(name) ?? '') ?? 'text');
      passes = truth(node, (name) => columns.get(known(name) ?? '') as Column, n);
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      // As the server counts them: a character that a browser keeps in two parts is one.
      const at = (place: number) => Array.from(text.slice(0, place)).length;
      const fault = { pointer: '/filter', code: `characters:${at(error.from)}-${at(error.to)}`, message: error.message };
      throw new Refusal(400, 'filter-syntax', 'The filter cannot be followed', error.message, [fault]);
    }
    for (const is of passes) if (is === UNKNOWN) nUnknown++;
  }
  let selected: Uint8Array | null = null;
  if (which.region) {
    for (const axis of [which.region.x, which.region.y]) if (!of.has(axis)) throw nothing(`There is no column ${axis}.`);
    const [x, y] = await Promise.all([of.column(which.region.x), of.column(which.region.y)]);
    if (x.kind !== 'number' || y.kind !== 'number') throw nothing('The axes of a region are columns of numbers.');
    const isIn = selecting(which.region.shapes);
    selected = new Uint8Array(n);
    for (let row = 0; row < n; row++) {
      if (passes && passes[row] !== 1) continue;
      if (isIn(x.values[row], y.values[row])) selected[row] = 1;
    }
  }
  return { passes, selected, nUnknown };
}

const total = (rows: Uint8Array | null, n: number) => (rows ? rows.reduce((sum, is) => sum + (is === 1 ? 1 : 0), 0) : n);

function bits(rows: Uint8Array): string {
  const out = new Uint8Array(Math.ceil(rows.length / 8));
  rows.forEach((is, row) => {
    if (is === 1) out[row >> 3] |= 1 << (row & 7);
  });
  let text = '';
  for (let at = 0; at < out.length; at += 8192) text += String.fromCharCode(...out.subarray(at, at + 8192));
  return btoa(text);
}

const bins = new WeakMap<Column, Binned>();
function binsOf(column: Column): Binned {
  let known = bins.get(column);
  if (!known) bins.set(column, (known = binned(column)));
  return known;
}

async function query(of: CopyTable, asked: Which & { histograms?: string[]; masks?: boolean }) {
  const n = of.view.n_rows;
  const { passes, selected, nUnknown } = await chosen(of, asked);
  const histograms = await Promise.all(
    (asked.histograms ?? []).map(async (name) => {
      const view = of.view.columns.find((c) => c.name === name);
      if (!view) throw nothing(`There is no column ${name}.`);
      return histogram(view, binsOf(await of.column(name)), passes, selected);
    }),
  );
  return {
    filter: asked.filter,
    n_rows: n,
    n_passing: total(passes, n),
    n_selected: total(selected ?? passes, n),
    n_unknown: nUnknown,
    passing: asked.masks && passes ? bits(passes) : undefined,
    selected: asked.masks && selected ? bits(selected) : undefined,
    histograms,
  };
}

interface RowsQuery extends Which {
  rows?: number[];
  sort?: string;
  offset?: number;
  limit?: number;
  columns?: string[];
}

async function rows(of: CopyTable, asked: RowsQuery) {
  let wanted = asked.rows;
  let n = wanted?.length ?? 0;
  if (!wanted) {
    const { passes, selected } = await chosen(of, asked);
    const kept = selected ?? passes;
    const all: number[] = [];
    for (let row = 0; row < of.view.n_rows; row++) if (!kept || kept[row] === 1) all.push(row);
    if (asked.sort) await sort(of, all, asked.sort);
    n = all.length;
    const from = asked.offset ?? 0;
    wanted = all.slice(from, from + (asked.limit ?? 100));
  }
  const columns = asked.columns ?? of.view.columns.map((c) => c.name);
  const [ids, pictures, curves] = await Promise.all([of.ids(), of.hasImage(), list('data/curves.json')]);
  const made = wanted.map(async (row): Promise<Row> => {
    const subject_id = ids[row];
    return { row, subject_id, has_image: pictures.has(row), has_light_curve: curves.has(subject_id), values: await values(of, row, columns) };
  });
  return { n, rows: await Promise.all(made) };
}

async function sort(of: CopyTable, all: number[], by: string): Promise<void> {
  const isDown = by.startsWith('-');
  const name = isDown ? by.slice(1) : by;
  if (!of.has(name)) throw nothing(`There is no column ${name}.`);
  const column = await of.column(name);
  const turn = isDown ? -1 : 1;
  const key = (row: number) => (column.kind === 'number' ? column.values[row] : column.texts[column.codes[row]]);
  const isMissing = (value: number | string | undefined) => value === undefined || (typeof value === 'number' && Number.isNaN(value));
  all.sort((a, b) => {
    const [x, y] = [key(a), key(b)];
    if (isMissing(x) || isMissing(y)) return Number(isMissing(x)) - Number(isMissing(y));
    return turn * (x < y ? -1 : x > y ? 1 : 0);
  });
}

async function neighbours(of: CopyTable, asked: URLSearchParams): Promise<Neighbours> {
  const vectors = await of.vectors();
  const row = (await of.rowOf()).get(asked.get('subject_id') ?? '');
  const point = vectors && row !== undefined ? vectors.rows.indexOf(row) : -1;
  if (row === undefined) throw nothing('No such subject is in this copy.');
  if (!vectors || point < 0) return { neighbours: [], why_none: 'the subject has no vector in this copy' };
  const { passes } = await chosen(of, { filter: asked.get('filter') ?? undefined });
  const { values: all, width } = vectors;
  const near: { at: number; distance: number }[] = [];
  for (let other = 0; other < vectors.rows.length; other++) {
    if (other === point || (passes && passes[vectors.rows[other]] !== 1)) continue;
    let sum = 0;
    for (let i = 0; i < width; i++) sum += (all[other * width + i] - all[point * width + i]) ** 2;
    near.push({ at: vectors.rows[other], distance: Math.sqrt(sum) });
  }
  near.sort((a, b) => a.distance - b.distance || a.at - b.at);
  const [ids, pictures] = await Promise.all([of.ids(), of.hasImage()]);
  const nearest = near.slice(0, Number(asked.get('k') ?? 12));
  return { neighbours: nearest.map(({ at, distance }) => ({ row: at, subject_id: ids[at], has_image: pictures.has(at), distance })), why_none: null };
}

async function boundary(of: CopyTable, asked: { quantity: string }): Promise<Response> {
  const found = of.view.copy.boundaries.find((one) => one.quantity === asked.quantity);
  if (found) return file(found.file);
  const known = of.view.copy.boundaries.map((one) => one.quantity).join(', ');
  throw nothing(known ? `This copy holds the boundary of ${known}.` : 'This copy holds no boundary; `volary export page --boundary COLUMN` puts one in.');
}

/** Cells of some rows, put together from the sheets. */
async function thumbnails(of: CopyTable, wanted: number[]): Promise<Response> {
  const [CELL, PER_ROW] = [64, 16];
  const { per_sheet } = of.view.copy;
  const place = await once(`places ${of.view.name}`, async () => new Map(Array.from(await of.order(), (row, at) => [row, at])));
  const canvas = new OffscreenCanvas(PER_ROW * CELL, Math.max(1, Math.ceil(wanted.length / PER_ROW)) * CELL);
  const context = canvas.getContext('2d') as OffscreenCanvasRenderingContext2D;
  for (const [at, row] of wanted.entries()) {
    const from = place.get(row);
    if (from === undefined) continue;
    const n = Math.floor(from / per_sheet);
    const sheet = await once(`sheet ${of.view.name} ${n}`, async () => createImageBitmap(await (await of.sheet(n)).blob()));
    const cellOf = from % per_sheet;
    context.drawImage(sheet, (cellOf % PER_ROW) * CELL, Math.floor(cellOf / PER_ROW) * CELL, CELL, CELL, (at % PER_ROW) * CELL, Math.floor(at / PER_ROW) * CELL, CELL, CELL);
  }
  return new Response(await canvas.convertToBlob({ type: 'image/png' }), { headers: { 'content-type': 'image/png' } });
}
