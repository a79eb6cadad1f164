import { expect, test } from 'vitest';
import type { Label } from '../src/api/types';
import { held } from '../src/lib/labels';

const label = (id: string, subject_id: string, value?: string, more: Partial<Label> = {}): Label => ({ id, subject_id, question: 'relevance', value, by: 'me', at: '2026-01-01T00:00:00Z', ...more });

test('what holds after a line: the last of a person on a subject and question, but what was taken back', () => {
  const [first, second, foreign] = [label('1', 'a', '3'), label('2', 'b', '1'), label('3', 'a', '5', { by: 'you' })];
  const all = [first, second, foreign];
  const again = label('4', 'a', '0');
  expect(held(all, again)).toEqual([second, foreign, again]);
  const other = label('5', 'a', 'yes', { question: 'tag:ring' });
  expect(held(all, other)).toEqual([...all, other]);
  expect(held(all, label('6', 'a', undefined, { retracts: '1' }))).toEqual([second, foreign]);
  // A line may come twice.
  expect(held(held(all, again), again)).toEqual(held(all, again));
});
