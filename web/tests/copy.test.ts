import { afterEach, describe, expect, it, vi } from 'vitest';
import { answer } from '../src/copy/answer';
import { binned, histogram } from '../src/copy/count';
import { check, Fault, parse, truth, type Kind, type Name } from '../src/copy/filter';
import type { Column } from '../src/copy/table';

const columns: Record<string, Column> = {
  x: { kind: 'number', values: Float64Array.from([1, 2, NaN, 4, 0.1 + 0.2]) },
  y: { kind: 'number', values: Float64Array.from([1, 1, 1, 5, 0.3]) },
  kind: { kind: 'text', codes: Uint32Array.from([0, 1, 0, 0xffffffff, 1]), texts: ["it's", 'Ring'] },
  flag: { kind: 'text', codes: Uint32Array.from([1, 0, 0xffffffff, 1, 0]), texts: ['false', 'true'] },
  'consensus(cloud bands)': { kind: 'number', values: Float64Array.from([0, 0.5, 1, 0.75, NaN]) },
};
const of = (name: Name) => columns[name.names.find((one) => one in columns) as string];
const kindOf = (name: Name): Kind => (name.names.includes('flag') ? 'boolean' : of(name).kind);
const rows = (text: string) => {
  const node = parse(text);
  check(node, kindOf);
  return Array.from(truth(node, of, 5), (is) => 'FT?'[is]).join('');
};

describe('a copy’s filter', () => {
  it('follows the language', () => {
    const cases: [string, string][] = [
      ['x > 1', 'FT?TF'],
      ['1 < x', 'FT?TF'],
      ['x = 0.3', 'FF?FF'],
      ['not x > 1', 'TF?FT'],
      ['x > 1 and y < 2', 'FT?FF'],
      ['x > 1 or y = 1', 'TTTTF'],
      ['x >= y', 'TT?FT'],
      ['x between 1 and 2', 'TT?FF'],
      ['x not between 1 and 2', 'FF?TT'],
      ['x in (1, 4)', 'TF?TF'],
      ["kind in ('it''s')", 'TFT?F'],
      ["kind <> 'Ring'", 'TFT?F'],
      ["kind contains 'RI'", 'FTF?T'],
      ["kind has ' RING'", 'FTF?T'],
      ["kind not has 'RIN'", 'TTT?T'],
      ["kind has '#ring'", 'FTF?T'],
      ['x is missing', 'FFTFF'],
      ['kind is not missing', 'TTTFT'],
      ['flag', 'TF?TF'],
      ['not flag', 'FT?FT'],
      ['flag = false', 'FT?FT'],
      ['consensus("cloud bands") between 0.3 and 0.7', 'FTFF?'],
      ['"x" >= -1e3 AND NOT (y > 2 OR y < 0.5)', 'TT?FF'],
      ['x > 1 and x is missing', 'FFFFF'.replace(/^(..)F/, '$1?')],
    ];
    for (const [text, wanted] of cases) expect([text, rows(text)]).toEqual([text, wanted]);
  });

  it('says where it cannot be followed', () => {
    const at = (text: string) => {
      try {
        parse(text);
      } catch (error) {
        return error instanceof Fault ? [error.from, error.to] : error;
      }
      return 'followed';
    };
    expect(at('x >> 3')).toEqual([3, 4]);
    expect(at('x >= 1 and')).toEqual([10, 10]);
    expect(at('')).toEqual([0, 0]);
    expect(at('x > 1 x')).toEqual([6, 7]);
    expect(at('x between 2 and 1')).toEqual([0, 17]);
    expect(at('3 > 2')).toEqual([0, 5]);
    expect(at("x in (1, 'a')")).toEqual([9, 12]);
    expect(at('x ; y')).toEqual([2, 3]);
    expect(at('kind has ring')).toEqual([9, 13]);
    expect(at('has > 1')).toEqual([0, 3]);
    expect(at('('.repeat(80) + 'x > 1')).toHaveLength(2);
    expect(() => rows("x = 'a'")).toThrow(/quotes/);
    // Texts have no order, whatever they are compared with.
    for (const op of ['<', '<=', '>', '>=']) {
      expect(() => rows(`flag ${op} flag`)).toThrow(/only numbers have an order/);
      expect(() => rows(`kind ${op} 'a'`)).toThrow(/only numbers have an order/);
    }
    // What the server refuses is refused here too.
    for (const text of ["flag = 'true'", 'kind = true', 'kind = flag', 'x = true', 'kind', 'x', "flag in ('true')", 'kind in (1, 2)', "x contains '1'", "flag contains 'tr'", "flag has 'true'", 'kind between 1 and 2', 'kind > 1', "not (x > 1 and flag = 'true')"]) {
      expect(() => rows(text), text).toThrow(/^column ".*" holds .*, not .*; /);
    }
    expect(rows('kind = kind')).toBe('TTT?T');
    expect(rows('kind != kind')).toBe('FFF?F');
    expect(() => rows('x = kind')).toThrow(/of one kind/);
    // A number is decimal, goes on until it ends, and is finite.
    for (const text of ['x > 0x10', 'x > 0b11', 'x > 0o7', 'x between 1 and 0x2', 'x in (0x1)', 'x > 1e999', 'x > 1..2', 'x > .', 'x > 1e', 'x > 1e-5and y > 1', 'x > 1e-5e-3']) expect(() => parse(text), text).toThrow(/ is no number; write numbers as 0\.5, -3 or 1e6/);
    expect([rows('x > 1.'), rows('x > +.1E1'), rows('x > -1e-3')]).toEqual(['FT?TF', 'FT?TF', 'TT?TT']);
    expect(() => parse(`x > 1${' or x > 1'.repeat(2_500)}`)).toThrow(/at most 20000 characters/);
    // A character is whole, also where a browser keeps it in two parts.
    expect(() => parse('🐱 > 1')).toThrow('"🐱" means nothing here');
    expect(at('🐱 > 1')).toEqual([0, 2]);
  });
});

describe('a copy’s histograms', () => {
  it('count each row once, as the server does', () => {
    const number = binned({ kind: 'number', values: Float64Array.from([0, 1, 2, 64, NaN, Infinity]) });
    expect([number.low, number.high, number.bins[0], number.bins[1], number.bins[3], number.bins[4]]).toEqual([0, 64, 0, 1, 63, 255]);
    const text = binned({ kind: 'text', codes: Uint32Array.from([2, 0, 2, 1, 0xffffffff]), texts: ['b', 'a', 'c', 'never'] });
    expect(text.categories).toEqual(['c', 'a', 'b']);
    const view = { name: 'c', kind: 'text' as const, n_missing: 1, is_category: true };
    const found = histogram(view, text, Uint8Array.from([1, 0, 1, 2, 1]), null);
    expect([found.all, found.passing, found.selected, found.n_missing]).toEqual([[2, 1, 1], [2, 0, 0], [2, 0, 0], 1]);
    const many = Array.from({ length: 50 }, (_, i) => `t${String(i).padStart(2, '0')}`);
    const rare = binned({ kind: 'text', codes: Uint32Array.from(many, (_, i) => i), texts: many });
    expect([rare.n, rare.bins.filter((bin) => bin === 254).length]).toEqual([24, 26]);
  });
});

describe('a copy’s answer', () => {
  afterEach(() => vi.unstubAllGlobals());

  it('has the columns of its table, and nothing that every object has', async () => {
    const files: Record<string, string> = { flux: 'data/flux.arrow' };
    const table = { name: 't', n_rows: 1, columns: [], maps: [], copy: { files, ids: '', folder: '', n_sheets: 0, per_sheet: 1, has_vectors: false, boundaries: [] } };
    const asked: string[] = [];
    vi.stubGlobal('fetch', (name: string) => {
      asked.push(name);
      return Promise.resolve(name.endsWith('project.json') ? new Response(JSON.stringify({ tables: [table], n_light_curves: 0, has_whole_images: false })) : new Response('', { status: 404 }));
    });
    for (const name of ['constructor', 'toString', '__proto__', 'hasOwnProperty']) {
      const said = await answer('/tables/t/query', { filter: `${name} = 'x'` });
      expect([said.status, (await said.json()).detail]).toEqual([400, `there is no column "${name}" in this copy`]);
      expect((await answer(`/tables/t/columns/${name}`)).status).toBe(404);
      expect((await answer('/tables/t/rows', { sort: `-${name}` })).status).toBe(404);
      expect((await answer('/tables/t/query', { region: { x: name, y: 'flux', shapes: [] } })).status).toBe(404);
    }
    expect(asked.filter((name) => !name.endsWith('project.json'))).toEqual([]);
  });
});
