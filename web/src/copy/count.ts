/** Histograms as the server counts them (`volary_web::project::table`): the same bins, the same order of texts. */
import type { ColumnView, Histogram } from '../api/types';
import type { Column } from './table';

const N_BINS = 64;
const N_CATEGORIES = 24;
const OTHER = 254;
const MISSING = 255;

export interface Binned {
  readonly bins: Uint8Array;
  readonly n: number;
  readonly low?: number;
  readonly high?: number;
  readonly categories: string[];
}

export function binned(column: Column): Binned {
  if (column.kind === 'number') {
    let [low, high] = [Infinity, -Infinity];
    for (const v of column.values) {
      if (!Number.isFinite(v)) continue;
      if (v < low) low = v;
      if (v > high) high = v;
    }
    const scale = high > low ? N_BINS / (high - low) : 0;
    const bins = Uint8Array.from(column.values, (v) =>
      Number.isFinite(v) ? Math.min(N_BINS - 1, Math.trunc((v - low) * scale)) : MISSING,
    );
    return low <= high ? { bins, n: N_BINS, low, high, categories: [] } : { bins, n: N_BINS, categories: [] };
  }
  const counts = new Float64Array(column.texts.length);
  for (const code of column.codes) if (code < counts.length) counts[code]++;
  const order = [...column.texts.keys()].filter((code) => counts[code] > 0);
  const before = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
  order.sort((a, b) => counts[b] - counts[a] || before(column.texts[a], column.texts[b]));
  const listed = order.slice(0, N_CATEGORIES);
  const of = new Uint8Array(column.texts.length).fill(OTHER);
  listed.forEach((code, bin) => (of[code] = bin));
  const bins = Uint8Array.from(column.codes, (code) => of[code] ?? MISSING);
  return { bins, n: listed.length, categories: listed.map((code) => column.texts[code]) };
}

/** Of all rows, of those that pass and of those that are selected. */
export function histogram(view: ColumnView, of: Binned, passes: Uint8Array | null, selected: Uint8Array | null): Histogram {
  const counted = (rows: Uint8Array | null) => {
    const every = new Float64Array(256);
    for (let row = 0; row < of.bins.length; row++) if (!rows || rows[row] === 1) every[of.bins[row]]++;
    return every;
  };
  const all = counted(null);
  const [some, few] = [passes ? counted(passes) : all, selected ? counted(selected) : passes ? counted(passes) : all];
  const bins = (every: Float64Array) => Array.from(every.subarray(0, of.n));
  return {
    column: view.name,
    kind: view.kind,
    low: of.low,
    high: of.high,
    categories: of.categories,
    all: bins(all),
    passing: bins(some),
    selected: bins(few),
    n_others: [all[OTHER], some[OTHER], few[OTHER]],
    n_missing: all[MISSING],
  };
}
