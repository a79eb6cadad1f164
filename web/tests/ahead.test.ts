import { expect, test } from 'vitest';
import { Ahead } from '../src/state/ahead';

/** A fetch that waits until it is told. */
function slow() {
  const asked: string[] = [];
  const given = new Map<string, { done: (text: string) => void; fail: (error: Error) => void; signal: AbortSignal }>();
  const fetch = (id: string, signal: AbortSignal) => {
    asked.push(id);
    return new Promise<string>((done, fail) => {
      given.set(id, { done, fail, signal });
      signal.addEventListener('abort', () => fail(new Error('aborted')));
    });
  };
  return { asked, given, fetch };
}
const later = () => new Promise((done) => setTimeout(done, 0));

test('what comes next is fetched once, the first first, two at a time', async () => {
  const { asked, given, fetch } = slow();
  const ahead = new Ahead(fetch);
  ahead.want(['a', 'b', 'c', 'd']);
  expect(asked).toEqual(['a', 'b']);
  given.get('a')?.done('A');
  await later();
  expect(asked).toEqual(['a', 'b', 'c']);
  expect(await ahead.get('a')).toBe('A');
  // The next card: its picture is on its way, and nothing is asked twice.
  ahead.want(['b', 'c', 'd', 'e']);
  const b = ahead.get('b');
  given.get('b')?.done('B');
  expect(await b).toBe('B');
  await later();
  expect(asked).toEqual(['a', 'b', 'c', 'd']);
});

test('what is not wanted any more is given up', async () => {
  const { asked, given, fetch } = slow();
  const ahead = new Ahead(fetch);
  ahead.want(['a', 'b', 'c']);
  ahead.want(['x', 'y']);
  expect(given.get('a')?.signal.aborted).toBe(true);
  await later();
  expect(asked).toEqual(['a', 'b', 'x', 'y']);
});

test('what failed is said to who wants it, and asked for anew', async () => {
  const { asked, given, fetch } = slow();
  const ahead = new Ahead(fetch);
  ahead.want(['a', 'b', 'c']);
  given.get('a')?.fail(new Error('no picture'));
  await later();
  // It does not stand in the way of the others, nor is it asked for again and again.
  expect(asked).toEqual(['a', 'b', 'c']);
  const again = ahead.get('a');
  expect(asked).toEqual(['a', 'b', 'c', 'a']);
  given.get('a')?.fail(new Error('no picture'));
  await expect(again).rejects.toThrow('no picture');
});
