import { expect, test } from 'vitest';
import { among, between, called, command, endsOf, holding, isSecond, most, numberOf, several, without } from '../src/lib/filter';
import { parse, truth } from '../src/copy/filter';

test('an answer that most gave is a filter of the language', () => {
  expect(most('consensus(ring)')).toBe('consensus(ring) > 0.7');
  expect(most('consensus(T0.Features or disk)')).toBe('"consensus(T0.Features or disk)" > 0.7');
});

test('what is typed is a number as the language writes it, or none', () => {
  for (const [text, wanted] of [['0.5', 0.5], [' -3 ', -3], ['−3', -3], ['1e6', 1e6], ['.5', 0.5], ['2.', 2]] as const) expect(numberOf(text), text).toBe(wanted);
  for (const text of ['', '1,5', '1,000', 'abc', '0x10', '1 2', 'Infinity', '1e999', '.', '1e', '--1']) expect(numberOf(text), text).toBe(null);
});

test('who may be a neighbour: by answer, retired or not, tagged', () => {
  const found = among(['x', 'consensus(ring)', 'consensus_low(ring)', 'predicted(disk)', 'retirement_reason'], ["it's", 'odd']);
  expect(found.map((one) => one.filter)).toEqual([
    'consensus(ring) > 0.7',
    'predicted(disk) > 0.7',
    'retirement_reason is not missing',
    'retirement_reason is missing',
    'tags is not missing',
    "tags has 'it''s'",
    "tags has 'odd'",
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

test('a search looks into ids, tags and texts, and nothing of it cannot be decided', () => {
  const text = (name: string, n_missing = 0) => ({ name, kind: 'text', n_missing });
  const columns = [text('subject_id'), text('kind'), text('my note', 2), { name: 'x', kind: 'number', n_missing: 0 }];
  const wanted = holding("o'ring", columns, true);
  expect(wanted).toBe(`subject_id contains 'o''ring' or tags is not missing and tags contains 'o''ring' or kind contains 'o''ring' or "my note" is not missing and "my note" contains 'o''ring'`);
  expect(holding("#o'ring", columns, true)).toBe(wanted);
  expect(holding('#', [text('subject_id')], true)).toBe("subject_id contains '#' or tags is not missing and tags contains '#'");
  expect(holding('#a', [text('subject_id')], false)).toBe("subject_id contains '#a'");
  // Where there are no tags nothing is asked of them; a table's own are a text like others.
  expect(holding('a', [text('subject_id')], false)).toBe("subject_id contains 'a'");
  expect(holding('a', [text('tags')], false)).toBe("subject_id contains 'a' or tags contains 'a'");
  const rows: Record<string, (string | null)[]> = { subject_id: ["s-O'RING", 's1', 's2', 's3', 's4'], tags: [null, "x;o'ring", null, null, null], kind: ['a', 'b', "an o'ring", 'c', 'd'], 'my note': [null, 'n', 'n', "o'ring", null] };
  const of = ({ names }: { names: readonly string[] }) => {
    const texts = rows[names[0]].map((one) => one ?? '');
    return { kind: 'text' as const, texts, codes: Uint32Array.from(rows[names[0]], (one, at) => (one === null ? 0xffffffff : at)) };
  };
  expect([...truth(parse(wanted), of as never, 5)]).toEqual([1, 1, 1, 1, 0]);
});

test('a tag is asked for whole: another one that has it in it is another one', () => {
  expect(called("it's")).toBe("tags has 'it''s'");
  const texts = ['ring', 'odd; Ring', 'two rings', ''];
  const of = () => ({ kind: 'text' as const, texts, codes: Uint32Array.from([0, 1, 2, 3, 0xffffffff]) });
  expect([...truth(parse(called('ring')), of as never, 5)]).toEqual([1, 1, 0, 0, 2]);
});

test('a slider has its own filter and no other', () => {
  const column = 'consensus(T0.Smooth)';
  const own = between(column, -0.5, 1e-7);
  expect(endsOf(own, column)).toEqual([-0.5, 1e-7]);
  expect(endsOf('"consensus(T0.Smooth)" between 0.3 and 0.7', column)).toEqual([0.3, 0.7]);
  // What somebody wrote begins alike, and is more.
  const longer = '"consensus(T0.Smooth)" between 0.3 and 0.7 or forest between 0.5 and 0.9';
  for (const other of [longer, `not ${own}`, own.replace('between', 'not between'), `${own} and x > 1`, 'x between 1 and 2', '"consensus(T0.Smooth)" between 1..2 and 3']) expect(endsOf(other, column)).toBeNull();
  expect(without([longer, own, 'x between 1 and 2'], column)).toEqual([longer, 'x between 1 and 2']);
  expect(endsOf('x between 1 and 2', 'xx')).toBeNull();
});

test('two or more of some conditions, without every pair of them', () => {
  expect(several([])).toBeNull();
  expect(several(['a > 1'])).toBeNull();
  for (const n of [2, 3, 5, 8]) {
    const text = several(Array.from({ length: n }, (_, i) => `c${i} > 0.5`)) as string;
    const nRows = 2 ** n;
    const of = ({ names }: { names: readonly string[] }) => ({ kind: 'number' as const, values: Float64Array.from({ length: nRows }, (_, row) => (row >> Number(names[0].slice(1))) & 1) });
    const wanted = Array.from({ length: nRows }, (_, row) => Number(row.toString(2).replaceAll('0', '').length >= 2));
    expect([...truth(parse(text), of, nRows)]).toEqual(wanted);
  }
  // The server takes 20,000 characters.
  const long = Array.from({ length: 32 }, (_, i) => `("consensus(w102.T1.Answer ${i})" is not missing and "consensus(w102.T1.Answer ${i})" > 0.7)`);
  expect((several(long) as string).length).toBeLessThan(16_000);
});

test('a column that carries the name of a second table is known, and an answer with parentheses is none', () => {
  const all = ['consensus(ring)', 'consensus(ring) (other)', 'consensus(Star (point) (bright))'].map((name) => ({ name }));
  expect(all.map((one) => isSecond(one.name, all))).toEqual([false, true, false]);
});
