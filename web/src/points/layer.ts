/**
 * What draws points: one interface, two back ends. `gl.ts` uses the graphics card; `cpu.ts` bins points into pixels on
 * the processor, needs no card and no WebGL, and costs a fraction of a card that is simulated in software.
 */
import type { Camera, Size } from '../lib/camera';
import type { Table } from '../lib/colour';
import type { Picker } from './pick';

/** How points of one pixel become its colour. */
export type Blend = 'mean' | 'max' | 'category';

/** Colours: an index a row into a table of 256. */
export interface Colours {
  readonly bytes: Uint8Array;
  readonly table: Table;
  readonly blend: Blend;
}

export interface PointLayer {
  readonly kind: 'gl' | 'cpu';
  /** Places in the unit square; NaN has none. */
  setXY(u: Float32Array, v: Float32Array): void;
  /** The same points by their place, once that is known. */
  setIndex(index: Picker): void;
  /** `null`: one colour for all. */
  setColours(colours: Colours | null): void;
  /** A level a row (see `lib/mask`), `null`: all in full. */
  setLevels(levels: Uint8Array | null): void;
  /** The colour of points without one, of ghosts, and of what is behind them; 0 to 255. */
  setPlain(plain: Rgb, ghost: Rgb, back: Rgb): void;
  /**
   * Draws; `sizePx` is the side of a point in pixels of the canvas. While the hand moves the view (`isMoving`) it may
   * be drawn to the nearest whole pixel.
   */
  draw(camera: Camera, size: Size, sizePx: number, isMoving: boolean): void;
  /** Red, green, blue, opacity of what was drawn last, for pictures and tests. */
  pixels(): Uint8ClampedArray;
  destroy(): void;
}

export type Rgb = readonly [number, number, number];

/** A side that shows single points where there are few, and structure where there are many. */
export function defaultSize(n: number, ratio: number): number {
  const css = n > 400_000 ? 1 : n > 60_000 ? 1.5 : n > 8_000 ? 3 : n > 1_500 ? 4 : 6;
  return Math.max(1, Math.round(css * ratio));
}
