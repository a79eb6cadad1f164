/** Numbers and times as people read them, in one way everywhere. */

const GROUPED = new Intl.NumberFormat('en-US');

export function grouped(n: number): string {
  return GROUPED.format(n);
}

/** A measured value: four digits that count, powers of ten only where they must be. */
export function value(v: number | null | undefined): string {
  if (v === null || v === undefined || Number.isNaN(v)) return '–';
  if (!Number.isFinite(v)) return v > 0 ? '∞' : '−∞';
  if (v === 0) return '0';
  if (Number.isInteger(v) && Math.abs(v) < 1e7) return minus(grouped(v));
  const size = Math.abs(v);
  if (size >= 1e7 || size < 1e-4) return minus(v.toExponential(2).replace('e+', 'e'));
  return minus(String(Number(v.toPrecision(4))));
}

export function percent(share: number | null | undefined, digits = 1): string {
  if (share === null || share === undefined || Number.isNaN(share)) return '–';
  return `${(100 * share).toFixed(digits)} %`;
}

/** `0.42 (0.31–0.55)`. */
export function interval(v: number, low: number, high: number, as: (x: number) => string = value): string {
  return `${as(v)} (${as(low)}–${as(high)})`;
}

export function time(iso: string): string {
  const date = new Date(iso);
  return Number.isNaN(date.getTime()) ? iso : `${date.toISOString().slice(0, 19).replace('T', ' ')} UTC`;
}

export function clock(date: Date): string {
  return `${date.toISOString().slice(11, 19)} UTC`;
}

export function bytes(n: number): string {
  return n < 1e6 ? `${Math.round(n / 1e3)} kB` : `${(n / 1e6).toFixed(1)} MB`;
}

function minus(text: string): string {
  return text.replace('-', '−');
}
