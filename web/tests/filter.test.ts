import { expect, test } from 'vitest';
import { among, most } from '../src/lib/filter';

test('an answer that most gave is a filter of the language', () => {
  expect(most('consensus(ring)')).toBe('consensus(ring) > 0.7');
  expect(most('consensus(T0.Features or disk)')).toBe('"consensus(T0.Features or disk)" > 0.7');
});

test('who may be a neighbour: by answer, retired or not, tagged', () => {
  const found = among(['x', 'consensus(ring)', 'consensus_low(ring)', 'predicted(disk)', 'retirement_reason'], ["it's", 'odd']);
  expect(found.map((one) => one.filter)).toEqual([
    'consensus(ring) > 0.7',
    'predicted(disk) > 0.7',
    'retirement_reason is not missing',
    'retirement_reason is missing',
    'tags is not missing',
    "tags contains 'it''s'",
    "tags contains 'odd'",
  ]);
  expect(found.map((one) => one.text)).toContain('not retired');
  // What nobody has is not offered.
  expect(among(['x', 'y'], [])).toEqual([]);
});
