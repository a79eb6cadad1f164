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
  return minus(inThousands(Number(v.toPrecision(4))));
}

/** Where values of a column lie. */
export interface Ends {
  readonly low?: number;
  readonly high?: number;
}

/** Whether they are near for their size, as dates are: such numbers are written without commas, all of them. */
function isNear({ low, high }: Ends): boolean {
  return low !== undefined && high !== undefined && high > low && high - low < 1e-2 * Math.max(Math.abs(low), Math.abs(high));
}

/** Digits that tell a hundredth of the range apart, and mostly a thousandth; four at least. */
function digitsOf({ low, high }: Ends): number {
  if (low === undefined || high === undefined || !(high > low)) return 4;
  const share = Math.max(Math.abs(low), Math.abs(high)) / (high - low);
  return share < 1e13 ? Math.max(4, Math.floor(Math.log10(share)) + 4) : 17;
}

/** A value of a column, with digits that tell it from its neighbours there. */
export function valueIn(v: number | null | undefined, of: Ends | null | undefined, digits = of ? digitsOf(of) : 4): string {
  if (v === null || v === undefined || !Number.isFinite(v) || !of) return value(v);
  if (digits <= 4 && !isNear(of)) return value(v);
  const short = Number.isInteger(v) && Math.abs(v) < 1e15 ? v : Number(v.toPrecision(digits));
  return minus(isNear(of) ? String(short) : inThousands(short));
}

/** How values of a column are written that stand below each other: as much as tells these apart, too. */
export function columnOf(all: readonly unknown[], of: Ends | null | undefined): (v: number | null | undefined) => string {
  const known = all.filter((v): v is number => typeof v === 'number' && Number.isFinite(v));
  const shown = { low: Math.min(...known), high: Math.max(...known) };
  const [ends, digits] = [of ?? shown, Math.max(digitsOf(of ?? {}), digitsOf(shown))];
  return (v) => valueIn(v, ends, digits);
}

/** Measured values beside each other: where they are near for their size, digits enough for a hundredth of their span. */
export function values(all: readonly (number | null | undefined)[]): string[] {
  const known = all.filter((v): v is number => typeof v === 'number' && Number.isFinite(v));
  const span = Math.max(...known) - Math.min(...known);
  const size = Math.max(...known.map(Math.abs));
  if (!(span > 0 && span < 1e-2 * size)) return all.map(value);
  const digits = Math.min(17, Math.ceil(Math.log10(size / span)) + 2);
  return all.map((v) => (typeof v === 'number' && Number.isFinite(v) ? minus(String(Number(v.toPrecision(digits)))) : value(v)));
}

/** Numbers of an axis, each with as many digits as tell it from its neighbour. */
export function ticks(all: readonly number[]): string[] {
  const step = all.length > 1 ? Math.abs(all[1] - all[0]) : 0;
  if (!(step > 0) || Math.max(...all.map(Math.abs)) >= 1e7 || step < 1e-9) return all.map((v) => value(v));
  // A step of 2.5 has a digit more than its size says.
  let digits = Math.max(0, -Math.floor(Math.log10(step)));
  while (digits < 10 && Math.abs(Number(step.toFixed(digits)) - step) > step * 1e-3) digits++;
  return all.map((v) => minus(v.toFixed(digits)));
}

/** As many digits behind the point; a tie goes to the even one, as on the command line (`toFixed` goes up). */
export function fixed(v: number, digits: number): string {
  // Exactly between two texts lie only odd multiples of half a step that is a power of two.
  const halves = v * 2 ** (digits + 1);
  if (!Number.isInteger(halves) || halves % 2 === 0) return v.toFixed(digits);
  const low = Math.floor(v * 10 ** digits);
  return ((low % 2 === 0 ? low : low + 1) / 10 ** digits).toFixed(digits);
}

export function percent(share: number | null | undefined, digits = 1): string {
  if (share === null || share === undefined || Number.isNaN(share)) return '–';
  return `${fixed(100 * share, digits)} %`;
}

/** The share of a count in another, reckoned as the command line does. */
export function percentOf(n: number, of: number, digits = 1): string {
  return of > 0 ? `${fixed((100 * n) / of, digits)} %` : '–';
}

/** `0.42 (0.31–0.55)`, a unit once. */
export function interval(v: number, low: number, high: number, as: (x: number) => string = value): string {
  const [from, to] = [as(low), as(high)];
  return `${as(v)} (${from.endsWith(' %') && to.endsWith(' %') ? from.slice(0, -2) : from}–${to})`;
}

export function time(iso: string): string {
  const date = new Date(iso);
  return Number.isNaN(date.getTime()) ? iso : `${date.toISOString().slice(0, 19).replace('T', ' ')} UTC`;
}

export function clock(date: Date): string {
  return `${date.toISOString().slice(11, 19)} UTC`;
}

/** Seconds as people say them: `4 s`, `12 min`, `3 h 20 min`. */
export function duration(s: number): string {
  if (s < 9.5) return `${Number(s.toPrecision(2))} s`;
  if (s < 119.5) return `${Math.round(s)} s`;
  const minutes = Math.round(s / 60);
  if (minutes < 120) return `${minutes} min`;
  return minutes % 60 ? `${Math.floor(minutes / 60)} h ${minutes % 60} min` : `${minutes / 60} h`;
}

export function bytes(n: number): string {
  return n < 1e6 ? `${Math.round(n / 1e3)} kB` : `${(n / 1e6).toFixed(1)} MB`;
}

/** A text in parts: every second one stood between backticks. One backtick alone is only a sign. */
export function codeIn(text: string): string[] {
  const parts = text.split('`');
  if (parts.length % 2) return parts;
  return [...parts.slice(0, -2), parts.slice(-2).join('`')];
}

/** Commas between thousands, also where there are digits behind the point. */
function inThousands(v: number): string {
  return String(v).replace(/^(-?)(\d{4,})/, (_, sign: string, whole: string) => sign + whole.replace(/\B(?=(\d{3})+$)/g, ','));
}

function minus(text: string): string {
  return text.replace('-', '−');
}
