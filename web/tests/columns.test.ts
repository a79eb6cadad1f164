import { describe, expect, it } from 'vitest';
import { columnsOf, MOST, shown } from '../src/lib/columns';
import { name } from '../src/lib/filter';

describe('the columns of filters', () => {
  const known = new Set(['n_seen', 'kind', 'seen', 'ring', 'consensus(ring)', 'consensus(T0.Smooth)', 'predicted_disk', 'flag', 'a "b" c', 'x.y', 'Ä1', 'in']);
  const of = (...filters: string[]) => columnsOf(filters, known);

  it('are found as the language writes them', () => {
    expect(of('n_seen >= 10', "kind in ('ring', 'seen')")).toEqual(['n_seen', 'kind']);
    expect(of('consensus(ring) between 0 and 1')).toEqual(['consensus(ring)']);
    expect(of('"consensus(T0.Smooth)" > 0.5 and consensus( \'T0.Smooth\' ) < 0.9')).toEqual(['consensus(T0.Smooth)']);
    expect(of("predicted(disk) > 0.5 or predicted('disk') > 0.6")).toEqual(['predicted_disk']);
    expect(of('x.y > 1 and Ä1 < 2')).toEqual(['x.y', 'Ä1']);
    for (const column of known) expect(of(`${name(column)} is missing`)).toContain(column);
  });

  it('are not the words of the language, nor what stands in a text', () => {
    expect(of('not (flag) and not(n_seen > 3)')).toEqual(['flag', 'n_seen']);
    expect(of("kind = 'it''s n_seen' and gone > 1")).toEqual(['kind']);
    expect(of('seen_before > 1 or "n_seen " > 2')).toEqual([]);
    expect(of("n_seen >> 'open", 'kind is missing')).toEqual(['kind']);
  });
});

describe('the table of rows', () => {
  const all = Array.from({ length: 20 }, (_, i) => `c${i}`);
  const known = new Set(all);
  const columns = (filters: string[], sort: string, chosen: string[] | null = null) => shown(known, filters, sort, chosen, all).columns;

  it('shows the first ones, and what filters and sorts before them', () => {
    expect(columns([], '')).toEqual(all.slice(0, MOST));
    expect(columns(['c15 > 1', 'c2 > 1'], '')).toEqual(['c15', 'c2', 'c0', 'c1', 'c3', 'c4', 'c5', 'c6', 'c7']);
    expect(columns(['c15 > 1'], 'c19')).toEqual(['c19', 'c15', 'c0', 'c1', 'c2', 'c3', 'c4', 'c5', 'c6']);
    expect(columns([], 'gone')).toEqual(all.slice(0, MOST));
    const many = all.slice(5, 17);
    expect(columns([many.map((one) => `${one} > 1`).join(' or ')], 'c19')).toEqual(['c19', ...many]);
  });

  it('leaves a column where it is whose head is clicked', () => {
    expect(columns([], 'c4')).toEqual(all.slice(0, MOST));
    expect(columns(['c15 > 1'], 'c15')).toEqual(columns(['c15 > 1'], ''));
    // The ninth gives way to a filter, so that what sorts by it is fetched back.
    expect(columns(['c15 > 1'], 'c8')[0]).toBe('c8');
  });

  it('shows what was chosen, and what filters and sorts all the same', () => {
    expect(columns([], '', ['c12', 'gone', 'c1'])).toEqual(['c12', 'c1']);
    expect(columns(['c3 > 1'], 'c19', ['c12', 'c1'])).toEqual(['c19', 'c3', 'c12', 'c1']);
    expect(columns([], 'c1', ['c12', 'c1'])).toEqual(['c12', 'c1']);
    expect(columns([], '', [])).toEqual([]);
    expect(columns([], '', ['gone'])).toEqual(all.slice(0, MOST));
    const { fixed, kept } = shown(known, ['c3 > 1'], 'c19', ['c12'], all);
    expect([fixed, kept]).toEqual([new Set(['c3', 'c19']), ['c3', 'c12']]);
    // What is chosen beside a column that sorts leaves the order of the others as it was.
    expect(columns(['c3 > 1'], 'c19', [...kept, 'c7'])).toEqual(['c19', 'c3', 'c12', 'c7']);
  });
});
