/**
 * Columns that are likely to be looked at next, fetched one by one while nobody waits for anything, so that another
 * colour is a matter of drawing. Only over a fast connection, and no more of them than memory is worth.
 */

/** So long nobody must have touched the page. */
export const QUIET_MS = 1_000;
/** Slower connections have better to do. */
const FAST_BYTES_PER_S = 40e6;
const MOST_BYTES = 48e6;
const MOST_COLUMNS = 8;

/** How many columns are worth it, of so many bytes each, where some bytes took so long. */
export function howMany(bytesEach: number, bytes: number, ms: number): number {
  if (bytes / (ms / 1000) < FAST_BYTES_PER_S) return 0;
  return Math.min(MOST_COLUMNS, Math.floor(MOST_BYTES / bytesEach));
}

/** Waits until the page rests; `false` where it is not wanted any more. */
async function rest(lastTouched: () => number, isWanted: () => boolean): Promise<boolean> {
  while (isWanted()) {
    const left = lastTouched() + QUIET_MS - performance.now();
    if (left <= 0) {
      await new Promise<void>((done) => (globalThis.requestIdleCallback ?? setTimeout)(() => done()));
      return isWanted();
    }
    await new Promise((done) => setTimeout(done, left));
  }
  return false;
}

/** Fetches in turn; what fails is left to whoever wants it. */
export async function fetchSoon(
  names: readonly string[],
  fetch: (name: string) => Promise<unknown>,
  lastTouched: () => number,
  isWanted: () => boolean,
): Promise<void> {
  for (const name of names) {
    if (!(await rest(lastTouched, isWanted))) return;
    await fetch(name).catch(() => {});
  }
}
