import { describe, expect, it } from 'vitest';
import { around, bounds, frame, fromData, MAX_ZOOM, panned, pxPerUnit, toData, toPx, toUnit, WHOLE, zoomed } from '../src/lib/camera';

const size = { width: 800, height: 600 };

describe('the camera', () => {
  it('goes to pixels and back', () => {
    const camera = { cx: 0.3, cy: 0.7, zoom: 2.5 };
    for (const [u, v] of [[0, 0], [0.3, 0.7], [1, 0.2]]) {
      const [x, y] = toPx(camera, size, u, v);
      const back = toUnit(camera, size, x, y);
      expect(back[0]).toBeCloseTo(u, 12);
      expect(back[1]).toBeCloseTo(v, 12);
    }
    expect(toPx(camera, size, 0.3, 0.7)).toEqual([400, 300]);
    expect(toPx(camera, size, 0.3, 0.8)[1]).toBeLessThan(300);
  });

  it('keeps what is under the pointer there while it zooms', () => {
    let camera = WHOLE;
    for (const factor of [1.3, 2, 0.7, 5]) {
      const before = toUnit(camera, size, 150, 420);
      camera = zoomed(camera, size, factor, 150, 420);
      const after = toUnit(camera, size, 150, 420);
      expect(after[0]).toBeCloseTo(before[0], 9);
      expect(after[1]).toBeCloseTo(before[1], 9);
    }
  });

  it('ends somewhere', () => {
    let camera = WHOLE;
    for (let i = 0; i < 200; i++) camera = zoomed(camera, size, 2, 400, 300);
    expect(camera.zoom).toBe(MAX_ZOOM);
    for (let i = 0; i < 200; i++) camera = panned(camera, size, 1e6, -1e6);
    expect(camera.cx).toBe(-0.5);
    expect(camera.cy).toBe(-0.5);
  });

  it('moves by as many pixels as the hand', () => {
    const moved = panned(WHOLE, size, 30, -12);
    const [x, y] = toPx(moved, size, 0.5, 0.5);
    expect(x).toBeCloseTo(430, 9);
    expect(y).toBeCloseTo(288, 9);
  });

  it('shows a selection whole', () => {
    const u = [0.2, 0.25, NaN];
    const v = [0.6, 0.9, NaN];
    const camera = around(u, v, size);
    for (let i = 0; i < 2; i++) {
      const [x, y] = toPx(camera, size, u[i], v[i]);
      expect(x > 0 && x < 800 && y > 0 && y < 600).toBe(true);
    }
    expect(pxPerUnit(camera, size)).toBeGreaterThan(pxPerUnit(WHOLE, size));
    expect(around([], [], size)).toBe(WHOLE);
    expect(around([0.5], [0.5], size).zoom).toBeGreaterThan(100);
  });
});

describe('the frame', () => {
  it('keeps the proportions of a map and fills the axes of two columns', () => {
    const map = frame([0, 10], [0, 5], true);
    expect(map.sx).toBe(map.sy);
    expect(fromData(map, 5, 2.5)).toEqual([0.5, 0.5]);
    const pair = frame([0, 10], [-1, 1], false);
    expect(fromData(pair, 10, -1)).toEqual([1, 0]);
    const [x, y] = toData(pair, ...fromData(pair, 3, 0.25));
    expect(x).toBeCloseTo(3, 12);
    expect(y).toBeCloseTo(0.25, 12);
  });

  it('puts one value in the middle', () => {
    expect(fromData(frame([7, 7], [0, 1], false), 7, 0)[0]).toBe(0.5);
    expect(fromData(frame([7, 7], [3, 3], true), 7, 3)).toEqual([0.5, 0.5]);
  });

  it('knows bounds without what is not finite', () => {
    expect(bounds([NaN, 3, -1, Infinity, -Infinity])).toEqual([-1, 3]);
    expect(bounds([NaN])).toBeNull();
  });
});
