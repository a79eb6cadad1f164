/**
 * Values to colours: one byte a row, an index into 256 colours.
 *
 * 0 to 254 go along the scale; {@link MISSING} is a value that is not there, or that the scale cannot show (0 and
 * less on a logarithmic one); it has a colour of its own and is counted, never drawn as a low value.
 */

import { quantile, quantilesOf, spanOf } from './order';

export type ScaleKind = 'linear' | 'log' | 'quantile';
export const SCALE_KINDS: readonly ScaleKind[] = ['linear', 'log', 'quantile'];

/** The index of a missing value. */
export const MISSING = 255;
const TOP = 254;

/** A scale that has seen its column. */
export interface Scale {
  readonly kind: ScaleKind;
  /** Values at both ends; what lies beyond is clipped to them. */
  readonly low: number;
  readonly high: number;
  /** Rows without a value. */
  readonly nMissing: number;
  /** Rows whose value a logarithmic scale cannot show. */
  readonly nUnshown: number;
  /** Quantile scales: the values at 255 steps. */
  readonly steps: Float64Array | null;
}

/** Shares of the rows that are clipped at each end. */
export interface Clip {
  readonly low: number;
  readonly high: number;
}
export const NO_CLIP: Clip = { low: 0, high: 0 };

/** The scale of a column. */
export function scaleOf(values: ArrayLike<number>, kind: ScaleKind, clip: Clip = NO_CLIP): Scale {
  const span = spanOf(values);
  let { least, most, nFinite: n } = span;
  if (kind === 'log' && least <= 0) [least, n] = positive(values);
  const { nMissing } = span;
  const nUnshown = values.length - nMissing - n;
  if (n === 0) return { kind, low: 0, high: 1, nMissing, nUnshown, steps: null };
  const isClipped = clip.low > 0 || clip.high > 0;
  if (kind !== 'quantile' && !isClipped) return { kind, low: least, high: most, nMissing, nUnshown, steps: null };
  const inner = kind === 'quantile' ? Array.from({ length: TOP + 1 }, (_, i) => i / TOP) : [];
  const [low, high, ...steps] = quantilesOf(values, least, most, [clip.low, 1 - clip.high, ...inner]);
  return { kind, low, high, nMissing, nUnshown, steps: steps.length ? Float64Array.from(steps) : null };
}

/** The least of the finite values above 0, and how many there are. */
function positive(values: ArrayLike<number>): [number, number] {
  let [least, n] = [Infinity, 0];
  for (let i = 0; i < values.length; i++) {
    const v = values[i];
    if (v > 0 && v < Infinity) {
      n++;
      if (v < least) least = v;
    }
  }
  return [least, n];
}

/** A value's place on the scale, 0 to 1; NaN if it has none. A column with one value stands in the middle. */
export function place(scale: Scale, value: number): number {
  if (!Number.isFinite(value) || (scale.kind === 'log' && value <= 0)) return NaN;
  if (!(scale.high > scale.low)) return 0.5;
  if (scale.steps) return rank(scale.steps, value) / TOP;
  const t =
    scale.kind === 'log'
      ? Math.log(value / scale.low) / Math.log(scale.high / scale.low)
      : (value - scale.low) / (scale.high - scale.low);
  return Math.min(1, Math.max(0, t));
}

/** The value at a place from 0 to 1: the inverse of {@link place}. */
export function valueAt(scale: Scale, t: number): number {
  if (scale.steps) return quantile(scale.steps, t);
  if (scale.kind === 'log') return scale.low * (scale.high / scale.low) ** t;
  return scale.low + (scale.high - scale.low) * t;
}

/** One byte a row. */
export function colourBytes(values: ArrayLike<number>, scale: Scale): Uint8Array {
  const out = new Uint8Array(values.length);
  const { low, high } = scale;
  if (scale.kind === 'linear' && high > low) {
    // The common case without a call a row: ten million of them are waited for.
    const s = TOP / (high - low);
    for (let i = 0; i < values.length; i++) {
      const v = values[i];
      out[i] = v - v === 0 ? (v <= low ? 0 : v >= high ? TOP : ((v - low) * s + 0.5) | 0) : MISSING;
    }
    return out;
  }
  if (scale.kind === 'log' && high > low) {
    const all = Math.log(high / low);
    for (let i = 0; i < values.length; i++) {
      const v = values[i];
      out[i] = v - v !== 0 || v <= 0 ? MISSING : v <= low ? 0 : v >= high ? TOP : Math.round((Math.log(v / low) / all) * TOP);
    }
    return out;
  }
  if (scale.steps && high > low) {
    ranks(scale.steps, values, out);
    return out;
  }
  for (let i = 0; i < values.length; i++) {
    const t = place(scale, values[i]);
    out[i] = Number.isNaN(t) ? MISSING : Math.round(t * TOP);
  }
  return out;
}

/** So many even parts of the range, each with the first step that may be searched for there. */
const PARTS = 4_096;

/** The rank of each value, rounded. Where to begin to search is looked up: a million searches take four times as long. */
function ranks(steps: Float64Array, values: ArrayLike<number>, out: Uint8Array): void {
  const first = steps[0];
  const wide = PARTS / (steps[TOP] - first);
  // Steps before it are below all values of the part; that of the next part is above them.
  const begin = new Uint8Array(PARTS + 2).fill(TOP);
  for (let part = 0, at = 0; part <= PARTS; part++) {
    while (at < TOP && ((steps[at] - first) * wide | 0) < part) at++;
    begin[part] = at;
  }
  for (let i = 0; i < values.length; i++) {
    const v = values[i];
    if (v - v !== 0) out[i] = MISSING;
    else if (v <= first || v >= steps[TOP]) out[i] = Math.round(rank(steps, v));
    else {
      const part = ((v - first) * wide) | 0;
      let [below, high] = [begin[part], begin[part + 1]];
      while (below < high) {
        const middle = (below + high) >> 1;
        if (steps[middle] < v) below = middle + 1;
        else high = middle;
      }
      out[i] = Math.round(between(steps, below, v));
    }
  }
}

/** How many steps lie at or below a value, less one; a value between two equal steps takes their middle. */
function rank(steps: Float64Array, value: number): number {
  return between(steps, search(steps, value, false), value);
}

/** The same, where the first step that is not below the value is known. */
function between(steps: Float64Array, below: number, value: number): number {
  const upTo = below < steps.length && steps[below] === value ? search(steps, value, true) : below;
  if (upTo > below) return (below + upTo - 1) / 2;
  if (below === 0) return 0;
  if (below >= steps.length) return steps.length - 1;
  const [a, b] = [steps[below - 1], steps[below]];
  return below - 1 + (value - a) / (b - a);
}

/** First step that is not below (or, if `after`, is above) the value. */
function search(steps: Float64Array, value: number, after: boolean): number {
  let [low, high] = [0, steps.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (steps[middle] < value || (after && steps[middle] === value)) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Round values for an axis or a legend, about `n` of them. */
export function ticks(low: number, high: number, n: number): number[] {
  if (!(high > low) || n < 1) return [low];
  const rough = (high - low) / n;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= rough * 0.999) ?? 10 * power;
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  const out: number[] = [];
  for (let i = first; i <= last && out.length < 100; i++) out.push(Number((i * step).toPrecision(12)));
  return out;
}

/** Which of some numbers is nearest to one. */
export function nearest(all: readonly number[], to: number): number {
  return all.reduce((best, one, at) => (Math.abs(one - to) < Math.abs(all[best] - to) ? at : best), 0);
}

/**
 * The ends of a part of a column's range, with as few digits as tell a thousandth of that range from the next; rounded
 * outwards, and where the range ends as exactly as it does, so that no row is lost there.
 */
export function outwards(from: number, to: number, low: number, high: number): [number, number] {
  if (!(high > low)) return [low, high];
  const digits = 3 - Math.floor(Math.log10(high - low));
  const step = 10 ** -digits;
  const rounded = (v: number) => (digits < 0 ? Math.round(v / step) * step : Number(v.toFixed(Math.min(100, digits))));
  const [below, above] = [rounded(from), rounded(to)];
  const [a, b] = [below > from ? rounded(below - step) : below, above < to ? rounded(above + step) : above];
  // Where the numbers are coarser than the step, they stay as they are.
  return [a <= low ? low : Math.min(a, from), b >= high ? high : Math.max(b, to)];
}
