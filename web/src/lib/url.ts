/**
 * The explorer's state as the part of a URL behind the question mark, and back: a link shows what was seen.
 *
 * Only what differs from the start is written, in one order, so that one state has one URL. What cannot be read is
 * left out: an old link opens with what it still says.
 */
import { WHOLE, type Camera } from './camera';
import { PALETTES, type Palette } from './colour';
import { MAX_POINTS, type Op, type Point, type Shape } from './region';
import { SCALE_KINDS, type ScaleKind } from './scale';

export interface View {
  /** The table; empty for the first. */
  table: string;
  /** Columns of the axes; empty for the map that the server proposes. */
  x: string;
  y: string;
  /** The column of colours; empty for none. */
  colour: string;
  scale: ScaleKind;
  palette: Palette;
  /** Percent of the rows clipped at each end of the colour scale. */
  clip: number;
  /** Point size in pixels. */
  size: number;
  /** Which value a pixel with several points shows. */
  show: 'mean' | 'max';
  thumbnails: boolean;
  /** What draws the points; empty for what suits. */
  renderer: '' | 'gl' | 'cpu';
  camera: Camera;
  /** Filters that all hold. */
  filters: string[];
  shapes: Shape[];
  /** The third column, of which a slab is shown; empty for none. */
  third: string;
  /** The column by which the table of rows is sorted, with a minus where the highest come first; empty for none. */
  sort: string;
  /** Columns of the table of rows; `null` for those that the page proposes. */
  columns: string[] | null;
  /** Columns with a histogram; `null` for those that the page proposes. */
  histograms: string[] | null;
  /** Colour columns of further panels. */
  panels: string[];
  /** The subject that is pinned; empty for none. */
  focus: string;
  /** Tags that are drawn over the points. */
  tags: string[];
  /** The boundary whose selection stands out: of which column, above which value. */
  boundary: { column: string; threshold: number } | null;
  /** What comes first in the order of triage. */
  order: Order;
  /** Of an order that is drawn. */
  seed: number;
  /** Another score, beside the one that is ranked by; empty for none. */
  beside: string;
  /** Pictures a side. */
  side: number;
  /** Subjects that are passed over. */
  from: number;
  /** What has a label already comes last. */
  openFirst: boolean;
  /** The column whose groups are followed over the boundary; empty for none. */
  group: string;
  /** The question whose kinds of confusion are counted; empty for the first. */
  question: string;
  /** The workflow whose questions are asked; empty for the subject's own. */
  workflow: string;
}

/** Columns that somebody may put beside each other in the table of rows. */
export const MOST_COLUMNS = 60;

export const ORDERS = ['high', 'low', 'random', 'unseen', 'unsure'] as const;
export type Order = (typeof ORDERS)[number];

export function start(): View {
  return {
    table: '',
    x: '',
    y: '',
    colour: '',
    scale: 'linear',
    palette: 'viridis',
    clip: 0,
    size: 0,
    show: 'mean',
    thumbnails: true,
    renderer: '',
    camera: WHOLE,
    filters: [],
    shapes: [],
    third: '',
    sort: '',
    columns: null,
    histograms: null,
    panels: [],
    focus: '',
    tags: [],
    boundary: null,
    order: 'high',
    seed: 1,
    beside: '',
    side: 5,
    from: 0,
    openFirst: false,
    group: '',
    question: '',
    workflow: '',
  };
}

/** What decides which subjects come in which order: where it changes, the first ones are shown again. */
const DECIDING: readonly (keyof View)[] = ['table', 'colour', 'filters', 'shapes', 'order', 'seed', 'openFirst', 'side'];

/** A view with something changed. */
export function changed(view: View, change: Partial<View>): View {
  const isOther = DECIDING.some((key) => key in change && JSON.stringify(change[key]) !== JSON.stringify(view[key]));
  return { ...view, ...(isOther ? { from: 0 } : {}), ...change };
}

const OPS: Record<Op, string> = { add: '+', remove: '-' };

function short(n: number, digits: number): string {
  return String(Number(n.toPrecision(digits)));
}

/** Digits that keep places of one axis apart: Julian dates of a night need more than numbers that begin near 0. */
function digitsOf(places: readonly number[]): number {
  const [least, most] = [Math.min(...places), Math.max(...places)];
  return most - least < 1e-3 * Math.max(Math.abs(least), Math.abs(most)) ? 15 : 8;
}

/** The state as `?…`, or an empty text for the start. */
export function write(view: View): string {
  const first = start();
  const out = new URLSearchParams();
  const put = (key: string, value: string, known: string) => {
    if (value !== known) out.set(key, value);
  };
  put('table', view.table, '');
  put('x', view.x, '');
  put('y', view.y, '');
  put('colour', view.colour, '');
  put('scale', view.scale, first.scale);
  put('palette', view.palette, first.palette);
  put('clip', short(view.clip, 3), '0');
  put('size', short(view.size, 3), '0');
  put('show', view.show, first.show);
  put('thumbnails', view.thumbnails ? '1' : '0', '1');
  put('renderer', view.renderer, '');
  // The closer, the more digits: a pixel is a smaller part of the whole.
  const close = 6 + Math.max(0, Math.ceil(Math.log10(view.camera.zoom)));
  const camera = (c: Camera) => [short(c.cx, close), short(c.cy, close), short(c.zoom, 6)].join(',');
  put('camera', camera(view.camera), camera(first.camera));
  for (const filter of view.filters) out.append('filter', filter);
  for (const shape of view.shapes) {
    const [x, y] = [digitsOf(shape.points.map((p) => p[0])), digitsOf(shape.points.map((p) => p[1]))];
    const points = shape.points.map((p) => `${short(p[0], x)},${short(p[1], y)}`);
    out.append('region', `${OPS[shape.op]}${points.join(';')}`);
  }
  put('third', view.third, '');
  put('sort', view.sort, '');
  // None at all is a choice as well.
  const chosen = (key: string, columns: readonly string[] | null) => {
    for (const column of columns?.length === 0 ? [''] : (columns ?? [])) out.append(key, column);
  };
  chosen('column', view.columns);
  chosen('histogram', view.histograms);
  for (const column of view.panels) out.append('panel', column);
  put('focus', view.focus, '');
  for (const tag of view.tags) out.append('tag', tag);
  if (view.boundary) out.set('boundary', `${short(view.boundary.threshold, 8)},${view.boundary.column}`);
  put('order', view.order, first.order);
  put('seed', String(view.seed), String(first.seed));
  put('beside', view.beside, '');
  put('side', String(view.side), String(first.side));
  put('from', String(view.from), '0');
  put('open', view.openFirst ? 'first' : '', '');
  put('group', view.group, '');
  put('question', view.question, '');
  put('workflow', view.workflow, '');
  const text = out.toString();
  return text ? `?${text}` : '';
}

/** Reads it back. */
export function read(search: string): View {
  const from = new URLSearchParams(search);
  const view = start();
  const text = (key: string) => from.get(key) ?? '';
  const one = <T extends string>(key: string, known: readonly T[], other: T) =>
    known.includes(text(key) as T) ? (text(key) as T) : other;
  view.table = text('table');
  view.x = text('x');
  view.y = text('y');
  view.colour = text('colour');
  view.scale = one('scale', SCALE_KINDS, view.scale);
  view.palette = one('palette', PALETTES, view.palette);
  view.clip = within(Number(text('clip')), 0, 25, 0);
  view.size = within(Number(text('size')), 0, 12, 0);
  view.show = one('show', ['mean', 'max'] as const, view.show);
  view.thumbnails = text('thumbnails') !== '0';
  view.renderer = one('renderer', ['gl', 'cpu'] as const, view.renderer);
  const [cx, cy, zoom] = text('camera').split(',').map(Number);
  if ([cx, cy, zoom].every(Number.isFinite) && zoom > 0) view.camera = { cx, cy, zoom };
  // What stands there twice is shown once: each has one chip, one panel, one histogram.
  const each = (key: string) => [...new Set(from.getAll(key).filter((one) => one.trim()))];
  const whole = (key: string, low: number, high: number, other: number) =>
    /^[0-9]+$/.test(text(key)) ? within(Number(text(key)), low, high, other) : other;
  view.filters = each('filter');
  view.shapes = from.getAll('region').map(shape).filter((s): s is Shape => s !== null);
  view.third = text('third');
  view.sort = text('sort');
  view.columns = from.has('column') ? each('column').slice(0, MOST_COLUMNS) : null;
  view.histograms = from.has('histogram') ? each('histogram').slice(0, 8) : null;
  view.panels = each('panel').slice(0, 5);
  view.focus = text('focus');
  view.tags = each('tag').slice(0, 8);
  const [, threshold, of] = /^([^,]+),(.+)$/s.exec(text('boundary')) ?? [];
  if (of && Number.isFinite(Number(threshold))) view.boundary = { column: of, threshold: Number(threshold) };
  view.order = one('order', ORDERS, view.order);
  view.seed = whole('seed', 0, Number.MAX_SAFE_INTEGER, view.seed);
  view.beside = text('beside');
  view.side = whole('side', 3, 8, view.side);
  view.from = whole('from', 0, Number.MAX_SAFE_INTEGER, 0);
  view.openFirst = text('open') === 'first';
  view.group = text('group');
  view.question = text('question');
  view.workflow = text('workflow');
  return view;
}

function within(n: number, low: number, high: number, other: number): number {
  return n >= low && n <= high ? n : other;
}

function shape(text: string): Shape | null {
  // A plus sign that nobody escaped comes as a blank.
  const op = { '+': 'add', ' ': 'add', '-': 'remove' }[text.slice(0, 1)] as Op | undefined;
  const points = text.slice(1).split(';').map((pair) => pair.split(',').map(Number));
  const isWhole = points.every((p) => p.length === 2 && p.every(Number.isFinite));
  if (!op || !isWhole || points.length < 3 || points.length > MAX_POINTS) return null;
  return { op, points: points as unknown as Point[] };
}
