/**
 * Points binned into pixels: how many fall into each, and what their colours come to. No canvas and no colours here.
 *
 * What is counted can be moved by whole pixels, so that a moved view counts only the strips that have come into sight;
 * what it then holds is what counting everything at the same place gives, point for point.
 */
import type { Blend } from './layer';

/** Codes of points: their colour index below this, else why they have none. */
export const NO_COLOUR = 255;
export const IS_FADED = 256;
export const IS_GHOST = 257;
/** The first word of a pixel: how many points with a colour it has, up to 16 million. */
export const COUNT = 0xff_ffff;
/** … and whether it has a point without a colour, a faded one, a ghost. */
export const HAS_MISSING = 1 << 24;
export const HAS_FADED = 1 << 25;
export const HAS_GHOST = 1 << 26;

/** What a point of each code adds to the first word of its pixel, sets in it, and adds to the second: no branches. */
const N_CODES = IS_GHOST + 1;
const ADDED = Uint32Array.from({ length: N_CODES }, (_, code) => Number(code < NO_COLOUR));
const SET = Uint32Array.from({ length: N_CODES }, (_, code) => (code < NO_COLOUR ? 0 : HAS_MISSING << (code - NO_COLOUR)));
const INDEX = Uint32Array.from({ length: N_CODES }, (_, code) => (code < NO_COLOUR ? code : 0));

/** Keeps pixels positive, so that cutting off their fraction rounds down; a double holds it to 1e-8 pixels. */
const BIAS = 2 ** 27;

/** Pixels, the far ends excluded. */
export interface Rect {
  readonly x0: number;
  readonly y0: number;
  readonly x1: number;
  readonly y1: number;
}

/** From the unit square to pixels: `x = floor(left + u * s) + dx`, `y = floor(top - v * s) + dy`. */
export interface Fit {
  readonly s: number;
  readonly left: number;
  readonly top: number;
  readonly dx: number;
  readonly dy: number;
}

/** Places with their codes. */
export interface Coded {
  readonly u: Float32Array;
  readonly v: Float32Array;
  readonly codes: Uint16Array;
}

export class Bins {
  /** Two words a pixel: {@link COUNT} and signs; the sum, the highest or the last of the points' indices. */
  readonly all: Uint32Array;

  constructor(
    readonly width: number,
    readonly height: number,
  ) {
    this.all = new Uint32Array(2 * width * height);
  }

  clear(): void {
    this.all.fill(0);
  }

  /** Moves everything by whole pixels and empties what comes into sight: up to two strips, which are given back. */
  move(dx: number, dy: number): Rect[] {
    const { all, width, height } = this;
    // Pixels lie row by row: to move them is one move of memory; what wraps around at the sides is emptied below.
    const by = dy * width + dx;
    if (by > 0) all.copyWithin(2 * by, 0, all.length - 2 * by);
    else if (by < 0) all.copyWithin(0, -2 * by);
    const strips: Rect[] = [];
    const rows = { y0: dy > 0 ? dy : 0, y1: dy < 0 ? height + dy : height };
    if (dy !== 0) strips.push(dy > 0 ? { x0: 0, x1: width, y0: 0, y1: dy } : { x0: 0, x1: width, y0: height + dy, y1: height });
    if (dx !== 0) strips.push(dx > 0 ? { x0: 0, x1: dx, ...rows } : { x0: width + dx, x1: width, ...rows });
    for (const { x0, x1, y0, y1 } of strips) {
      for (let y = y0; y < y1; y++) all.fill(0, 2 * (y * width + x0), 2 * (y * width + x1));
    }
    return strips;
  }

  /** Counts points `from` to `to` into the pixels of `clip`; how many have their middle there. */
  add(points: Coded, from: number, to: number, fit: Fit, clip: Rect, side: number, blend: Blend): number {
    return side === 1 ? this.addSmall(points, from, to, fit, clip, blend) : this.addWide(points, from, to, fit, clip, side, blend);
  }

  private addSmall({ u, v, codes }: Coded, from: number, to: number, fit: Fit, clip: Rect, blend: Blend): number {
    const { all, width } = this;
    const { s } = fit;
    const [left, top] = [fit.left + BIAS, fit.top + BIAS];
    const [x0, y0] = [clip.x0, clip.y0];
    const [wide, high] = [clip.x1 - x0, clip.y1 - y0];
    const [dx, dy] = [fit.dx - BIAS - x0, fit.dy - BIAS - y0];
    const start = y0 * width + x0;
    const [isMean, isMax] = [blend === 'mean', blend === 'max'];
    let n = 0;
    for (let i = from; i < to; i++) {
      // NaN becomes 0 and falls out, far to the left.
      const x = ((left + u[i] * s) | 0) + dx;
      const y = ((top - v[i] * s) | 0) + dy;
      if (x >>> 0 >= wide || y >>> 0 >= high) continue;
      n++;
      const at = 2 * (start + y * width + x);
      const code = codes[i];
      all[at] = (all[at] + ADDED[code]) | SET[code];
      if (isMean) all[at + 1] += INDEX[code];
      else if (isMax ? INDEX[code] > all[at + 1] : code < NO_COLOUR) all[at + 1] = code;
    }
    return n;
  }

  private addWide({ u, v, codes }: Coded, from: number, to: number, fit: Fit, clip: Rect, side: number, blend: Blend): number {
    const { all, width } = this;
    const { s } = fit;
    const [left, top] = [fit.left + BIAS, fit.top + BIAS];
    const [dx, dy] = [fit.dx - BIAS, fit.dy - BIAS];
    const half = (side - 1) >> 1;
    const [isMean, isMax] = [blend === 'mean', blend === 'max'];
    let n = 0;
    for (let i = from; i < to; i++) {
      const x = ((left + u[i] * s) | 0) + dx;
      const y = ((top - v[i] * s) | 0) + dy;
      const [x0, y0] = [x - half, y - half];
      // What reaches in from outside is counted too: it stays where it is when the view moves.
      if (x0 >= clip.x1 || x0 + side <= clip.x0 || y0 >= clip.y1 || y0 + side <= clip.y0) continue;
      if (x >= clip.x0 && x < clip.x1 && y >= clip.y0 && y < clip.y1) n++;
      const code = codes[i];
      const [pyEnd, pxEnd] = [Math.min(clip.y1, y0 + side), Math.min(clip.x1, x0 + side)];
      for (let py = Math.max(clip.y0, y0); py < pyEnd; py++) {
        const isEdge = py === y0 || py === y0 + side - 1;
        for (let px = Math.max(clip.x0, x0); px < pxEnd; px++) {
          // The corners of large points are left out: they look round.
          if (side > 3 && isEdge && (px === x0 || px === x0 + side - 1)) continue;
          const at = 2 * (py * width + px);
          all[at] = (all[at] + ADDED[code]) | SET[code];
          if (isMean) all[at + 1] += INDEX[code];
          else if (isMax ? INDEX[code] > all[at + 1] : code < NO_COLOUR) all[at + 1] = code;
        }
      }
    }
    return n;
  }
}
