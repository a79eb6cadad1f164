import { describe, expect, it } from 'vitest';
import { Parser } from '../src/api/events';
import { folded, gaps, LANE_PX, lanes, roomBelow } from '../src/lib/curve';
import { columnOf, duration, fixed, interval, percent, percentOf, ticks, value, valueIn, values } from '../src/lib/format';
import { isSliding, isTyping, Keys, nameOf, WAIT_MS, type Press } from '../src/lib/keys';
import { ends, shown, table } from '../src/lib/picture';

const press = (key: string, more: Partial<Press> = {}): Press => ({ key, shiftKey: false, ctrlKey: false, metaKey: false, altKey: false, ...more });

describe('shortcuts', () => {
  const made = () => {
    const done: string[] = [];
    const keys = new Keys();
    const one = (k: string) => ({ keys: k, label: k, group: 'g', run: () => done.push(k) });
    return { keys, done, one };
  };

  it('are one key or two in time', () => {
    const { keys, done, one } = made();
    keys.add([one('s'), one('g s'), one('Shift+c'), one('?')]);
    keys.press(press('s'), 0)?.run();
    expect(keys.press(press('g'), 10)).toBeNull();
    keys.press(press('s'), 20)?.run();
    keys.press(press('g'), 30);
    keys.press(press('s'), 30 + WAIT_MS + 1)?.run();
    keys.press(press('C', { shiftKey: true }), 5_000)?.run();
    keys.press(press('?', { shiftKey: true }), 6_000)?.run();
    expect(done).toEqual(['s', 'g s', 's', 'Shift+c', '?']);
  });

  it('are the last ones that were added, until these are taken away', () => {
    const { keys, done, one } = made();
    keys.add([one('a')]);
    const off = keys.add([{ ...one('a'), run: () => done.push('upper') }]);
    keys.press(press('a'), 0)?.run();
    off();
    keys.press(press('a'), 1)?.run();
    expect(done).toEqual(['upper', 'a']);
    expect(keys.list()).toHaveLength(1);
  });

  it('leave the browser and whoever types alone', () => {
    expect(nameOf(press('s', { ctrlKey: true }))).toBeNull();
    expect(nameOf(press('s', { metaKey: true }))).toBeNull();
    expect(nameOf(press(' '))).toBe('Space');
    expect(isTyping({ tagName: 'INPUT', type: 'text' })).toBe(true);
    expect(isTyping({ tagName: 'INPUT', type: 'range' })).toBe(false);
    expect(isTyping({ tagName: 'textarea' })).toBe(true);
    expect(isTyping({ tagName: 'DIV', isContentEditable: true })).toBe(true);
    expect(isTyping({ tagName: 'BUTTON' })).toBe(false);
  });

  it('leave a slider its own keys, and no others', () => {
    const slider = { tagName: 'INPUT', type: 'range' };
    for (const key of ['ArrowLeft', 'ArrowRight', 'ArrowUp', 'ArrowDown', 'Home', 'End', 'PageUp', 'PageDown']) expect(isSliding(slider, { key })).toBe(true);
    for (const key of ['j', 'Enter', ']', 'Escape']) expect(isSliding(slider, { key })).toBe(false);
    expect(isSliding({ tagName: 'INPUT', type: 'checkbox' }, { key: 'ArrowLeft' })).toBe(false);
    expect(isSliding({ tagName: 'DIV' }, { key: 'ArrowLeft' })).toBe(false);
    expect(isSliding(null, { key: 'ArrowLeft' })).toBe(false);
  });
});

describe('the event stream', () => {
  it('is taken apart wherever it is cut', () => {
    const text = ': here\n\nid: 7\nevent: alert.created\ndata: {"subject":"<b>"}\n\nid: 8\nevent: x\ndata: broken\n\nid: 9\ndata: {"a":1}\r\n\r\n';
    for (const cut of [1, 3, 7, text.length]) {
      const heard: unknown[] = [];
      const parser = new Parser((event) => heard.push(event));
      for (let at = 0; at < text.length; at += cut) parser.push(text.slice(at, at + cut));
      expect(heard).toEqual([
        { id: '7', name: 'alert.created', data: { subject: '<b>' } },
        { id: '9', name: 'message', data: { a: 1 } },
      ]);
    }
  });
});

describe('light curves', () => {
  it('have gaps where nothing was measured', () => {
    const time = [0, 1, 2, 3, 9, 10, 11];
    expect(gaps(time, [1, 1, 1, 1, 1, 1, 1])).toEqual([[3, 9]]);
    expect(gaps([0, 1, 2, 3, 4, 5, 6, 7], [1, 1, null, null, null, null, 1, 1])).toEqual([[1, 6]]);
    expect(gaps([], [])).toEqual([]);
  });

  it('have marks in lanes that do not touch', () => {
    const found = lanes([[0, 2], [1, 3], [2.5, 4], [5, 6]], 2);
    expect(found).toEqual([[[0, 2], [2.5, 4], [5, 6]], [[1, 3]]]);
    for (const lane of found) for (let i = 1; i < lane.length; i++) expect(lane[i][0]).toBeGreaterThan(lane[i - 1][1]);
    expect(lanes([[0, 9], [1, 9], [2, 9]], 2)).toHaveLength(2);
  });

  it('leave the lanes room under the lowest point', () => {
    for (const n of [1, 5, 14]) {
      const [height, above] = [240, 0.06];
      const span = 1 + roomBelow(n, height, above) + above;
      // Where the lowest value lies, px above the lower end.
      const lowest = (roomBelow(n, height, above) / span) * height;
      expect(lowest).toBeGreaterThan(n * (LANE_PX + 1) + 3);
      expect(lowest).toBeLessThan(n * (LANE_PX + 1) + 10);
    }
    expect(roomBelow(0, 240, 0.06)).toBe(0.06);
  });

  it('fold dips onto each other', () => {
    const time = Array.from({ length: 100 }, (_, i) => i / 10);
    const flux = time.map((t) => (Math.abs((t % 2.5) - 0) < 0.05 ? 0.9 : 1));
    const [phase, folds] = folded(time, flux, 2.5);
    expect([...phase].sort((a, b) => a - b)).toEqual(phase);
    phase.forEach((p, i) => expect(folds[i] === 0.9).toBe(Math.abs(p) < 0.02));
  });
});

describe('pictures', () => {
  it('keep black and white, and bring out the faint', () => {
    const look = { stretch: 'asinh' as const, invert: false, channels: [true, true, true] as [boolean, boolean, boolean] };
    const asinh = table(look, [0, 255]);
    expect([asinh[0], asinh[255]]).toEqual([0, 255]);
    expect(asinh[20]).toBeGreaterThan(60);
    for (let v = 1; v < 256; v++) expect(asinh[v]).toBeGreaterThanOrEqual(asinh[v - 1]);
    expect(table({ ...look, invert: true }, [0, 255])[0]).toBe(255);
    const pixels = new Uint8ClampedArray([10, 20, 30, 255, 200, 100, 50, 255]);
    expect([...shown(pixels, { ...look, stretch: 'linear', channels: [false, false, true] })]).toEqual([30, 30, 30, 255, 50, 50, 50, 255]);
    expect(ends(new Uint8ClampedArray([7, 7, 7, 255]))).toEqual([0, 255]);
  });
});

describe('numbers', () => {
  it('are written as people read them', () => {
    expect([value(0.123456), value(1234567), value(-0.5), value(null), value(1e-9), value(NaN)]).toEqual(['0.1235', '1,234,567', '−0.5', '–', '1.00e−9', '–']);
    // Beside each other they are told apart.
    expect(values([0.123456, 7, null])).toEqual(['0.1235', '7', '–']);
    expect(values([2_460_000.25, 2_460_000.2523, 2_460_000.2546])).toEqual(['2460000.25', '2460000.2523', '2460000.2546']);
    // Of a column: what tells its values apart, and in one way, whole or not.
    const night = { low: 2_460_000, high: 2_460_001 };
    expect([2_460_000, 2_460_000.1234, 2_460_000.5].map((v) => valueIn(v, night))).toEqual(['2460000', '2460000.123', '2460000.5']);
    expect([59_000, 59_123.46, null, NaN].map((v) => valueIn(v, { low: 59_000, high: 60_000 }))).toEqual(['59,000', '59,123', '–', '–']);
    expect([12_344.6, -12_345, 0.123456].map((v) => valueIn(v, { low: -12_345, high: 20_000 }))).toEqual(['12,340', '−12,345', '0.1235']);
    expect([value(12_344.6), value(-1_234.4), valueIn(0.5, undefined), valueIn(7, {})]).toEqual(['12,340', '−1,234', '0.5', '7']);
    expect(valueIn(1_700_000_123, { low: 1_700_000_000, high: 1_700_086_400 })).toBe('1700000123');
    // Rows that are nearer to each other than the column is wide.
    const near = [0.99991234, 0.99991299, null];
    expect(near.map(columnOf(near, { low: 0, high: 1 }))).toEqual(['0.99991234', '0.99991299', '–']);
    expect([3, 0.25].map(columnOf([3, 0.25, 'x'], null))).toEqual(['3', '0.25']);
    expect(values([5, 5, NaN])).toEqual(['5', '5', '–']);
    expect(interval(0.5, 0.25, 0.75, (v) => percent(v, 0))).toBe('50 % (25–75 %)');
    expect(ticks([0.999, 0.9995, 1, 1.0005])).toEqual(['0.9990', '0.9995', '1.0000', '1.0005']);
    expect(ticks([0, 2.5, 5])).toEqual(['0.0', '2.5', '5.0']);
    expect(ticks([-10, 0, 10])).toEqual(['−10', '0', '10']);
    expect(ticks([1])).toEqual(['1']);
  });
});

describe('shares', () => {
  it('round a tie to the even digit, as the command line does', () => {
    // What `format!("{:.1}")` of Rust writes.
    const known: [number, number, string][] = [[27.25, 1, '27.2'], [12.25, 1, '12.2'], [12.75, 1, '12.8'], [0.25, 1, '0.2'], [0.35, 1, '0.3'], [0.45, 1, '0.5'], [2.5, 0, '2'], [3.5, 0, '4'], [0.5, 0, '0'], [-0.25, 1, '-0.2'], [0.125, 2, '0.12'], [0.375, 2, '0.38'], [1, 1, '1.0'], [99.95, 1, '100.0'], [33.333, 1, '33.3']];
    for (const [v, digits, text] of known) expect([v, fixed(v, digits)]).toEqual([v, text]);
    expect([percentOf(109, 400), percentOf(49, 400), percentOf(1, 3), percentOf(400, 400), percentOf(0, 0)]).toEqual(['27.2 %', '12.2 %', '33.3 %', '100.0 %', '–']);
    expect(percent(0.125, 0)).toBe('12 %');
  });
});

describe('durations', () => {
  it('are said as people say them', () => {
    const said = [0.04, 4, 9.4, 60, 119, 120, 3599, 7260, 7200, 12_000].map(duration);
    expect(said).toEqual(['0.04 s', '4 s', '9.4 s', '60 s', '119 s', '2 min', '60 min', '2 h 1 min', '2 h', '3 h 20 min']);
  });
});
