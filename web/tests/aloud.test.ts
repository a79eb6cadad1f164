import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Aloud } from '../src/lib/aloud';

describe('what is said aloud', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('comes at once, then at most every ten seconds, and nothing is lost', () => {
    const said: [number, number][] = [];
    const start = Date.now();
    const aloud = new Aloud((n) => said.push([Math.round((Date.now() - start) / 1_000), n]));
    aloud.add();
    for (let i = 0; i < 5; i++) {
      vi.advanceTimersByTime(1_000);
      aloud.add();
    }
    vi.advanceTimersByTime(30_000);
    expect(said).toEqual([[0, 1], [10, 5]]);
    aloud.add();
    expect(said[2]).toEqual([35, 1]);
    aloud.add();
    aloud.stop();
    vi.advanceTimersByTime(60_000);
    expect(said.length).toBe(3);
  });
});
