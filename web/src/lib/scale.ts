/**
 * Values to colours: one byte a row, an index into 256 colours.
 *
 * 0 to 254 go along the scale; {@link MISSING} is a value that is not there, or that the scale cannot show (0 and
 * less on a logarithmic one); it has a colour of its own and is counted, never drawn as a low value.
 */

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

/** The value below which a share of a sorted array lies. */
export function quantile(sorted: ArrayLike<number>, share: number): number {
  if (sorted.length === 0) return NaN;
  const at = Math.min(Math.max(share, 0), 1) * (sorted.length - 1);
  const below = Math.floor(at);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below] + (sorted[above] - sorted[below]) * (at - below);
}

/** The scale of a column. */
export function scaleOf(values: ArrayLike<number>, kind: ScaleKind, clip: Clip = NO_CLIP): Scale {
  let nMissing = 0;
  let nUnshown = 0;
  let [least, most] = [Infinity, -Infinity];
  // Only clips and quantiles want all values in order.
  const isOrdered = kind === 'quantile' || clip.low > 0 || clip.high > 0;
  const shown = isOrdered ? (values instanceof Float32Array ? new Float32Array(values.length) : new Float64Array(values.length)) : null;
  let n = 0;
  for (let i = 0; i < values.length; i++) {
    const v = values[i];
    if (v !== v) nMissing++;
    else if (v - v !== 0 || (kind === 'log' && v <= 0)) nUnshown++;
    else {
      if (v < least) least = v;
      if (v > most) most = v;
      if (shown) shown[n] = v;
      n++;
    }
  }
  if (n === 0) [least, most] = [0, 1];
  if (!shown || n === 0) return { kind, low: least, high: most, nMissing, nUnshown, steps: null };
  const sorted = inOrder(shown.subarray(0, n));
  let steps: Float64Array | null = null;
  if (kind === 'quantile') {
    steps = new Float64Array(TOP + 1);
    for (let i = 0; i <= TOP; i++) steps[i] = quantile(sorted, i / TOP);
  }
  return { kind, low: quantile(sorted, clip.low), high: quantile(sorted, 1 - clip.high), nMissing, nUnshown, steps };
}

/**
 * Finite numbers from low to high, in place. A million of 32 bits take a sixth of what `sort` takes: they are dealt
 * out three times by eleven bits (a radix sort), the sign turned so that bits order as numbers do.
 */
export function inOrder<T extends Float32Array | Float64Array>(values: T): T {
  if (!(values instanceof Float32Array) || values.length < 4_096) return values.sort() as T;
  const n = values.length;
  let from: Uint32Array = new Uint32Array(values.buffer, values.byteOffset, n);
  let to: Uint32Array = new Uint32Array(n);
  for (let i = 0; i < n; i++) from[i] ^= from[i] >>> 31 ? 0xffffffff : 0x80000000;
  for (const shift of [0, 11, 22]) {
    const next = new Uint32Array(2_048);
    for (let i = 0; i < n; i++) next[(from[i] >>> shift) & 2_047]++;
    for (let k = 0, sum = 0; k < 2_048; k++) [next[k], sum] = [sum, sum + next[k]];
    for (let i = 0; i < n; i++) to[next[(from[i] >>> shift) & 2_047]++] = from[i];
    [from, to] = [to, from];
  }
  // Three times: they lie in the second memory now.
  for (let i = 0; i < n; i++) to[i] = from[i] ^ (from[i] >>> 31 ? 0x80000000 : 0xffffffff);
  return values;
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
