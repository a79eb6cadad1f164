import { describe, expect, it, test } from 'vitest';
import { all, between, name, oneOf, text } from '../src/lib/filter';
import { route, subjectPath } from '../src/lib/route';
import { Undo } from '../src/lib/undo';
import { address } from '../src/api/site';
import { latestOf, tagOf, whyNoTag } from '../src/lib/labels';
import { nearest } from '../src/lib/scale';
import { changed, read, start, write, type View } from '../src/lib/url';

describe('the address', () => {
  it('of the start is empty', () => {
    expect(write(start())).toBe('');
    expect(read('')).toEqual(start());
  });

  it('says all that is seen', () => {
    const view: View = {
      ...start(),
      table: 'light curves & more',
      x: 'umap_x',
      y: 'umap_y',
      colour: 'consensus(T0.Features or disk)',
      scale: 'quantile',
      palette: 'cividis',
      clip: 2.5,
      size: 3,
      show: 'max',
      thumbnails: false,
      renderer: 'gl',
      camera: { cx: 0.25, cy: -0.125, zoom: 12.5 },
      filters: ["kind = 'a&b=c#?'", 'not (x > 1)'],
      shapes: [
        { op: 'add', points: [[0, 0], [1.5, 0], [1.5, -2.25e-7]] },
        { op: 'remove', points: [[0.1, 0.1], [0.2, 0.1], [0.2, 0.2]] },
        { op: 'add', points: [[2460000.25001, 0], [2460000.25472, 0], [2460000.25002, 1]] },
      ],
      third: 'jd',
      sort: '-n_seen',
      columns: ['n_seen', 'consensus(T0.Features or disk)'],
      histograms: ['a', 'b'],
      panels: ['c'],
      focus: '<script>',
      question: 'T0 & more',
      workflow: '101',
    };
    expect(read(write(view))).toEqual(view);
    expect(write(read(write(view)))).toBe(write(view));
  });

  it('keeps the choice of no histogram and of no column, which is not the choice of nobody', () => {
    expect(read(write({ ...start(), histograms: [] })).histograms).toEqual([]);
    expect(write({ ...start(), histograms: [] })).toBe('?histogram=');
    expect(read('?x=a').histograms).toBe(null);
    expect(read(write({ ...start(), columns: [] })).columns).toEqual([]);
    expect(write({ ...start(), columns: [] })).toBe('?column=');
    expect(read('?x=a').columns).toBe(null);
  });

  it('tells pixels apart however close it looks', () => {
    for (const zoom of [0.5, 0.94, 12.5, 20_000]) {
      const camera = { cx: 0.123456789012, cy: 0.987654321098, zoom };
      const back = read(write({ ...start(), camera })).camera;
      expect(Math.abs(back.cx - camera.cx) * 2_000 * zoom, String(zoom)).toBeLessThan(0.02);
      expect(Math.abs(back.cy - camera.cy) * 2_000 * zoom, String(zoom)).toBeLessThan(0.02);
    }
    expect(read('?renderer=vulkan')).toEqual(start());
  });

  it('holds what triage shows', () => {
    const view: View = { ...start(), colour: 'score', order: 'unsure', seed: 7, beside: 'other score', side: 8, from: 128, openFirst: true, group: 'kind', boundary: { column: 'label(relevance)', threshold: 2.5 } };
    expect(read(write(view))).toEqual(view);
    expect(read('?order=best&seed=-1&side=9&from=1.5&open=yes')).toEqual(start());
  });

  it('begins anew where other subjects, or another order of them, are asked for', () => {
    const view: View = { ...start(), from: 100, filters: ['a > 1'] };
    for (const change of [{ filters: [] }, { order: 'low' as const }, { seed: 2 }, { colour: 'b' }, { openFirst: true }, { side: 6 }, { table: 't' }]) expect([change, changed(view, change).from]).toEqual([change, 0]);
    for (const change of [{ beside: 'b' }, { focus: 'g1' }, { columns: ['b'] }, { question: 'T1' }, { workflow: '2' }, { filters: ['a > 1'] }, { boundary: { column: 'a', threshold: 1 } }]) expect([change, changed(view, change).from]).toEqual([change, 100]);
    expect(changed(view, { from: 200 }).from).toBe(200);
  });

  it('holds each thing once', () => {
    const view = read('?filter=a+%3E+1&filter=b&filter=a+%3E+1&panel=p&panel=p&histogram=h&histogram=h&tag=t&tag=t&tag=u&column=c&column=c');
    expect([view.columns, view.filters, view.panels, view.histograms, view.tags]).toEqual([['c'], ['a > 1', 'b'], ['p'], ['h'], ['t', 'u']]);
  });

  it('stays in the browser where it is longer than servers take', () => {
    expect(address('/space?filter=a')).toBe('/space?filter=a');
    const long = `/space?filter=${'a%3F'.repeat(3_000)}`;
    expect(address(long)).toBe(long.replace('/space?', '/space#?'));
  });

  it('leaves out what cannot be read', () => {
    const view = read('?scale=cubic&palette=jet&clip=99&size=-1&camera=1,2&region=*1,2;3,4;5,6&region=+1,2;3,4&region=+1,2;x,4;5,6&filter=%20');
    expect(view).toEqual(start());
    expect(read('?region=+1,2;3,4;5,6').shapes).toEqual([{ op: 'add', points: [[1, 2], [3, 4], [5, 6]] }]);
    const many = Array.from({ length: 500 }, (_, i) => `${i},${i * i}`).join(';');
    expect(read(`?region=-${many}`).shapes).toEqual([]);
  });
});

describe('paths', () => {
  it('are routes', () => {
    expect(route('/').name).toBe('overview');
    expect(route('/space/').name).toBe('space');
    expect(route('/nowhere').name).toBe('none');
    expect(route('/subjects').name).toBe('subjects');
    for (const id of ['7', 'a/b', 'ä ö', '100%', '<b>']) expect(route(subjectPath(id))).toEqual({ name: 'subject', id });
    expect(route('/subjects/%E0%A4%A').name).toBe('none');
  });
});

describe('filters', () => {
  it('quote what must be quoted', () => {
    expect(name('n_seen')).toBe('n_seen');
    expect(name('consensus(vortex)')).toBe('consensus(vortex)');
    expect(name('consensus(T0.Smooth)')).toBe('"consensus(T0.Smooth)"');
    expect(name('missing')).toBe('"missing"');
    expect(name('consensus(not)')).toBe('"consensus(not)"');
    expect(name('a "b"')).toBe('"a ""b"""');
    expect(text("it's")).toBe("'it''s'");
    expect(between('x', -0.5, 1e21)).toBe('x between -0.5 and 1e+21');
    expect(oneOf('kind', ['a', "b'c"])).toBe("kind in ('a', 'b''c')");
    expect(all(['a > 1', ' '])).toBe('a > 1');
    expect(all(['a > 1 or b', 'c'])).toBe('(a > 1 or b) and (c)');
    expect(all([])).toBeNull();
  });
});

describe('undo', () => {
  it('goes back and forward, and forgets the future when something new is done', () => {
    const undo = new Undo('a');
    expect(undo.undo()).toBeNull();
    undo.push('b');
    undo.push('b');
    undo.push('c');
    expect([undo.undo(), undo.undo(), undo.undo()]).toEqual(['b', 'a', null]);
    expect(undo.redo()).toBe('b');
    undo.push('d');
    expect(undo.canRedo).toBe(false);
    expect([undo.undo(), undo.redo()]).toEqual(['b', 'd']);
  });

  it('holds tags and the boundary, whose column may have any name', () => {
    const view = { ...start(), tags: ['odd', '<b>x</b>'], boundary: { column: 'score, of (a)', threshold: 0.25 } };
    expect(read(write(view))).toEqual(view);
    expect(read('?boundary=x,y').boundary).toBeNull();
    expect(read('?boundary=0.5').boundary).toBeNull();
    expect(read('?tag=a&tag=%20').tags).toEqual(['a']);
  });
});

describe('labels', () => {
  const label = (id: string, question: string, at: string, by = 'me') => ({ id, subject_id: `s${id}`, question, value: 'v', by, at });
  const all = [label('1', 'T0', '2027-01-01T00:00:02Z'), label('2', 'relevance', '2027-01-01T00:00:09Z'), label('3', 'T1', '2027-01-01T00:00:03Z'), label('4', 'tag:odd', '2027-01-01T00:00:08Z'), label('5', 'check:x', '2027-01-01T00:00:08Z'), label('6', 'T0', '2027-01-01T00:00:08Z', 'you')];

  it('are taken back from the last one of that kind on', () => {
    expect(latestOf(all, 'me', 'class')?.id).toBe('3');
    expect(latestOf(all, 'me', 'relevance')?.id).toBe('2');
    expect(latestOf(all, 'you', 'class')?.id).toBe('6');
    expect(latestOf(all, 'nobody', 'class')).toBeNull();
  });

  it('are tags without what stands between tags', () => {
    expect(tagOf(' ##Odd One ')).toBe('odd one');
    expect(whyNoTag('odd')).toBe('');
    expect(whyNoTag('odd;ring')).toMatch(/one by one/);
  });
});

test('the nearest step', () => {
  expect([nearest([0, 1, 2], 1.4), nearest([0, 1, 2], 9), nearest([3], 0)]).toEqual([1, 2, 0]);
});
