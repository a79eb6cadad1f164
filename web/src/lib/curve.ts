/** Light curves as they are drawn: gaps, marks in lanes, folded by a period. */

export type Range = readonly [number, number];

/** Stretches without data: steps that are three times as long as usual, or where flux is missing throughout. */
export function gaps(time: readonly number[], flux: readonly (number | null)[]): Range[] {
  const known = time.filter((_, i) => flux[i] !== null);
  const steps = known.slice(1).map((t, i) => t - known[i]);
  const usual = [...steps].sort((a, b) => a - b)[steps.length >> 1] ?? 0;
  const out: Range[] = [];
  steps.forEach((step, i) => {
    if (step > 3 * usual && usual > 0) out.push([known[i], known[i + 1]]);
  });
  return out;
}

/** Marks in as few lanes as they fit into without touching, the earliest first; what does not fit is left out. */
export function lanes(marks: readonly Range[], most: number): Range[][] {
  const out: Range[][] = [];
  for (const mark of [...marks].sort((a, b) => a[0] - b[0] || a[1] - b[1])) {
    const lane = out.find((l) => l[l.length - 1][1] < mark[0]);
    if (lane) lane.push(mark);
    else if (out.length < most) out.push([mark]);
  }
  return out;
}

/** By phase from -0.5 to 0.5, in its order. */
export function folded(
  time: readonly number[],
  flux: readonly (number | null)[],
  period: number,
): [number[], (number | null)[]] {
  const first = time[0] ?? 0;
  const phase = time.map((t) => {
    const p = ((t - first) / period) % 1;
    return p >= 0.5 ? p - 1 : p;
  });
  const order = phase.map((_, i) => i).sort((a, b) => phase[a] - phase[b]);
  return [order.map((i) => phase[i]), order.map((i) => flux[i])];
}

/** A lane of marks is so high, px, with a pixel of room below. */
export const LANE_PX = 5;

/**
 * How much room the scale of the flux leaves below its lowest value, as a part of its span, so that lanes of marks stand
 * under the points and on none of them; `above` is left at the other end.
 */
export function roomBelow(nLanes: number, heightPx: number, above: number): number {
  if (nLanes === 0) return above;
  const part = Math.min(0.8, (nLanes * (LANE_PX + 1) + 6) / heightPx);
  return ((1 + above) * part) / (1 - part);
}
