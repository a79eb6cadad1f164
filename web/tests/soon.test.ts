import { expect, test, vi } from 'vitest';
import { fetchSoon, howMany, QUIET_MS } from '../src/state/soon';

test('a fast connection fetches as much as memory is worth, a slow one nothing', () => {
  // A million numbers, 8 MB in 50 ms: all that is wanted.
  expect(howMany(4e6, 8e6, 50)).toBe(8);
  // Ten million: one.
  expect(howMany(40e6, 80e6, 500)).toBe(1);
  expect(howMany(100e6, 200e6, 500)).toBe(0);
  // 8 MB in two seconds.
  expect(howMany(4e6, 8e6, 2000)).toBe(0);
});

test('columns are fetched in turn while the page rests, and not for who has gone', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'performance'] });
  vi.stubGlobal('requestIdleCallback', undefined);
  const asked: string[] = [];
  let touched = performance.now();
  let isWanted = true;
  const fetch = (name: string) => {
    asked.push(name);
    return name === 'b' ? Promise.reject(new Error('gone')) : Promise.resolve();
  };
  const done = fetchSoon(['a', 'b', 'c', 'd'], fetch, () => touched, () => isWanted);
  await vi.advanceTimersByTimeAsync(QUIET_MS - 10);
  expect(asked).toEqual([]);
  // Touched again: it waits again.
  touched = performance.now();
  await vi.advanceTimersByTimeAsync(QUIET_MS - 10);
  expect(asked).toEqual([]);
  await vi.advanceTimersByTimeAsync(30);
  expect(asked.slice(0, 1)).toEqual(['a']);
  // What fails is passed over.
  await vi.advanceTimersByTimeAsync(30);
  expect(asked.slice(0, 3)).toEqual(['a', 'b', 'c']);
  const n = asked.length;
  isWanted = false;
  await vi.advanceTimersByTimeAsync(QUIET_MS * 2);
  await done;
  expect(asked.length - n).toBeLessThanOrEqual(1);
  vi.unstubAllGlobals();
  vi.useRealTimers();
});
