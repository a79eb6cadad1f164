import { describe, expect, it } from 'vitest';
import { FADED, FULL, GHOST, levels, Mask } from '../src/lib/mask';
import { inside, isSelected, MAX_POINTS, polygon, rectangle, simplified, stroke, type Point } from '../src/lib/region';

describe('masks', () => {
  it('have the first row lowest', () => {
    // As the server writes it: rows 0, 3 and 9 of 10.
    const mask = Mask.decode(btoa(String.fromCharCode(0b1001, 0b10)), 10);
    expect(mask.rows()).toEqual([0, 3, 9]);
    expect(mask.count()).toBe(3);
    expect([mask.has(3), mask.has(4), mask.has(-1), mask.has(10)]).toEqual([true, false, false, false]);
    expect(mask.rows(2)).toEqual([0, 3]);
  });

  it('refuse what was cut off', () => {
    expect(() => Mask.decode(btoa('a'), 10)).toThrow(/load the page anew/);
  });

  it('become levels', () => {
    const passes = Mask.of(4, (row) => row !== 0);
    const selected = Mask.of(4, (row) => row === 2);
    expect(levels(4, null, null)).toBeNull();
    expect([...levels(4, passes, null)!]).toEqual([GHOST, FULL, FULL, FULL]);
    expect([...levels(4, passes, selected)!]).toEqual([GHOST, FADED, FULL, FADED]);
    expect([...levels(4, null, selected)!]).toEqual([FADED, FADED, FULL, FADED]);
    // Row by row the same, whatever the number of rows.
    for (const n of [1, 7, 8, 9, 333]) {
      const [p, s] = [Mask.of(n, (row) => (row * 7) % 5 > 1), Mask.of(n, (row) => (row * row) % 3 === 1)];
      const of = (row: number) => (!p.has(row) ? GHOST : s.has(row) ? FULL : FADED);
      expect([...levels(n, p, s)!]).toEqual(Array.from({ length: n }, (_, row) => of(row)));
    }
  });
});

describe('regions', () => {
  const square: Point[] = [[0, 0], [4, 0], [4, 4], [0, 4]];

  it('are filled by the non-zero rule, either way round', () => {
    const star: Point[] = Array.from({ length: 5 }, (_, i) => [Math.sin(i * 0.8 * Math.PI), Math.cos(i * 0.8 * Math.PI)]);
    expect(inside(star, 0, 0)).toBe(true);
    expect(inside(star, 0.9, 0.9)).toBe(false);
    expect(inside([...square].reverse(), 1, 1)).toBe(true);
  });

  it('give a border to one of two neighbours', () => {
    const beside = square.map(([x, y]) => [x + 4, y] as Point);
    expect(Number(inside(square, 4, 2)) + Number(inside(beside, 4, 2))).toBe(1);
  });

  it('let the last shape decide', () => {
    const hole = rectangle([1, 1], [3, 3]);
    const shapes = [{ op: 'add' as const, points: square }, { op: 'remove' as const, points: hole }];
    expect(isSelected(shapes, 0.5, 0.5)).toBe(true);
    expect(isSelected(shapes, 2, 2)).toBe(false);
    expect(isSelected([...shapes, { op: 'add', points: hole }], 2, 2)).toBe(true);
  });

  it('stay near the line that was drawn and short enough to send', () => {
    const line: Point[] = Array.from({ length: 5_000 }, (_, i) => [100 * Math.cos(i / 800), 100 * Math.sin(i / 800) + Math.sin(i)]);
    const short = polygon(line, 0.5);
    expect(short.length).toBeLessThanOrEqual(MAX_POINTS);
    expect(simplified([[0, 0], [1, 0.001], [2, 0]], 0.01)).toEqual([[0, 0], [2, 0]]);
    expect(simplified([[0, 0], [1, 0.1], [2, 0]], 0.01)).toHaveLength(3);
  });

  it('cover what a brush went over', () => {
    const outline = stroke([[0, 0], [10, 0], [10, 0], [10, 10]], 2);
    for (const [x, y] of [[0, 0], [5, 1.5], [10, 5], [11, 9]]) expect(inside(outline, x, y)).toBe(true);
    for (const [x, y] of [[5, 4], [0, 3], [10, 13]]) expect(inside(outline, x, y)).toBe(false);
  });
});

describe('a brush', () => {
  const far = (line: readonly Point[], [x, y]: Point) =>
    Math.min(
      ...line.slice(1).map((b, i) => {
        const a = line[i];
        const [dx, dy] = [b[0] - a[0], b[1] - a[1]];
        const t = Math.min(1, Math.max(0, ((x - a[0]) * dx + (y - a[1]) * dy) / (dx * dx + dy * dy || 1)));
        return Math.hypot(x - a[0] - t * dx, y - a[1] - t * dy);
      }),
    );

  it('there and back selects what it selects one way', () => {
    const there: Point[] = [[0, 0], [3, 1], [6, 2], [10, 2.5]];
    const [one, both] = [stroke(there, 1), stroke([...there, ...there.slice(0, -1).reverse()], 1)];
    for (let x = -2; x < 13; x += 0.25) for (let y = -2; y < 5; y += 0.25) expect([x, y, inside(both, x, y)]).toEqual([x, y, inside(one, x, y)]);
  });

  it('takes all that lies well under it, whichever way it turns', () => {
    const lines: Point[][] = [
      [[0, 0], [10, 0], [4, 0.5], [9, 3]],
      [[0, 0], [5, 0], [5, 5], [0, 5], [0, 1]],
      [[0, 0], [4, 4], [4, -4], [8, 0], [0, 0]],
    ];
    for (const line of lines) {
      const outline = stroke(line, 1);
      let nMissed = 0;
      let n = 0;
      for (let x = -2; x < 13; x += 0.21)
        for (let y = -6; y < 8; y += 0.21) {
          const d = far(line, [x, y]);
          if (d < 0.85) {
            n++;
            if (!inside(outline, x, y)) nMissed++;
          }
          // Corners reach further than the radius, but not far.
          if (d > 1.5) expect(inside(outline, x, y)).toBe(false);
        }
      expect(nMissed / n).toBeLessThan(0.01);
    }
  });
});
