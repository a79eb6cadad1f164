import { expect, test } from 'vitest';
import { among, command, most } from '../src/lib/filter';

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

test('the command of a selection names the files of its columns, and is quoted for a shell', () => {
  const columns = [
    { name: 'agreement(T0)', file: 'consensus/consensus_subjects.parquet' },
    { name: 'consensus(T0.Features or disk)', file: 'consensus/consensus.parquet' },
    { name: 'forest', file: 'my scores.csv' },
    { name: 'subject_id', file: 'consensus/consensus.parquet' },
  ];
  expect(command(columns, '"consensus(T0.Features or disk)" > 0.7')).toBe(
    'volary slice consensus/consensus.parquet "\\"consensus(T0.Features or disk)\\" > 0.7"',
  );
  expect(command(columns, 'agreement(T0) > 0.8 and forest > 0.5', ' --within region.json')).toBe(
    'volary slice consensus/consensus.parquet --with consensus/consensus_subjects.parquet --with "my scores.csv" ' +
      '"agreement(T0) > 0.8 and forest > 0.5" --within region.json',
  );
  expect(command([{ name: 'x' }], 'x > $1')).toBe('volary slice TABLE "x > \\$1"');
});
