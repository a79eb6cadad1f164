/**
 * Points binned into pixels on the processor: no graphics card, no WebGL.
 *
 * Each point adds its colour index to the pixel (and its neighbours, for larger points); a pixel then shows the mean
 * or the highest of its points, which does not depend on their order, and is the brighter the more there are. A point
 * that stands alone is drawn larger, so that outliers are seen.
 *
 * A frame costs little because points are looked at in the order of their places once the grid is there (memory is
 * read and written side by side, what is out of sight is skipped), because a view that is dragged counts only what has
 * come into sight, and because the picture goes to the screen by itself (an offscreen canvas), opaque, past the
 * painting of the page around it, which without a graphics card costs more than the points.
 */
import { pxPerUnit, type Camera, type Size } from '../lib/camera';
import { FADED, FULL } from '../lib/mask';
import { MISSING } from '../lib/scale';
import { Bins, COUNT, HAS_FADED, HAS_MISSING, IS_FADED, IS_GHOST, type Coded, type Fit, type Rect } from './bins';
import type { Colours, PointLayer, Rgb } from './layer';
import type { Picker } from './pick';

/** Opacity of a pixel with one point, where points overlap. */
const LEAST = 0.55;
/** So many points in a pixel, and it is opaque. */
const FULLEST = 23;

type Context = CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D;

export class CpuLayer implements PointLayer {
  readonly kind = 'cpu';
  private readonly context: Context;
  private u: Float32Array = new Float32Array(0);
  private v: Float32Array = new Float32Array(0);
  private index: Picker | null = null;
  private colours: Colours | null = null;
  private levels: Uint8Array | null = null;
  private plain: Rgb = [90, 209, 192];
  private ghost: Rgb = [60, 68, 78];
  private back: Rgb = [0, 0, 0];
  private image: ImageData | null = null;
  private bins: Bins | null = null;
  /** What is binned, made when it is first needed; its memory serves again, the colours in it as long as they hold. */
  private coded: Coded | null = null;
  private memory: { ordered: Uint8Array; of: Uint8Array | null; codes: Uint16Array } | null = null;
  /** Words of the picture: of each count (up to {@link FULLEST}) and colour index; then of pixels without a colour. */
  private words: { mixed: Uint32Array; missing: number; faded: number; ghost: number; back: number } | null = null;
  /** How the bins were filled; `null` where they must be filled anew. */
  private filled: { fit: Fit; side: number; isDense: boolean } | null = null;

  constructor(canvas: HTMLCanvasElement) {
    const own = 'transferControlToOffscreen' in canvas ? canvas.transferControlToOffscreen() : canvas;
    const context = own.getContext('2d', { alpha: false }) as Context | null;
    if (!context) throw new Error('this browser draws no pictures; use another one');
    this.context = context;
  }

  setXY(u: Float32Array, v: Float32Array): void {
    [this.u, this.v] = [u, v];
    this.index = this.coded = this.memory = this.filled = null;
  }

  setIndex(index: Picker): void {
    this.index = index;
    this.coded = this.memory = this.filled = null;
  }

  setColours(colours: Colours | null): void {
    const isOnlyTable = colours && this.colours && colours.bytes === this.colours.bytes && colours.blend === this.colours.blend;
    this.colours = colours;
    this.words = null;
    if (!isOnlyTable) this.coded = this.filled = null;
  }

  setLevels(levels: Uint8Array | null): void {
    if (levels === this.levels) return;
    this.levels = levels;
    this.coded = this.filled = null;
  }

  setPlain(plain: Rgb, ghost: Rgb, back: Rgb): void {
    [this.plain, this.ghost, this.back] = [plain, ghost, back];
    this.words = null;
  }

  draw(camera: Camera, size: Size, sizePx: number, isMoving: boolean): void {
    const [width, height] = [Math.max(1, size.width | 0), Math.max(1, size.height | 0)];
    if (!this.image || !this.bins || this.bins.width !== width || this.bins.height !== height) {
      const { canvas } = this.context;
      [canvas.width, canvas.height] = [width, height];
      this.image = this.context.createImageData(width, height);
      this.bins = new Bins(width, height);
      this.filled = null;
    }
    const side = Math.max(1, Math.round(sizePx));
    this.bin(this.bins, camera, side, isMoving);
    this.paint(new Uint32Array(this.image.data.buffer), this.bins, sizePx);
    this.context.putImageData(this.image, 0, 0);
  }

  /** Puts every point that is in sight into its pixels. */
  private bin(bins: Bins, camera: Camera, side: number, isMoving: boolean): void {
    const { width, height } = bins;
    const s = pxPerUnit(camera, { width, height });
    const [left, top] = [width / 2 - camera.cx * s, height / 2 + camera.cy * s];
    const { filled } = this;
    if (isMoving && filled && this.index && filled.side === side && filled.fit.s === s) {
      const { fit } = filled;
      const [dx, dy] = [Math.round(left - fit.left), Math.round(top - fit.top)];
      const [byX, byY] = [dx - fit.dx, dy - fit.dy];
      if (Math.abs(byX) * 2 < width && Math.abs(byY) * 2 < height) {
        const moved = { ...fit, dx, dy };
        for (const strip of bins.move(byX, byY)) this.add(bins, moved, strip, side);
        this.filled = { ...filled, fit: moved };
        return;
      }
    }
    bins.clear();
    const fit = { s, left, top, dx: 0, dy: 0 };
    const inView = this.add(bins, fit, { x0: 0, y0: 0, x1: width, y1: height }, side);
    // Where points hardly overlap, opacity says nothing; where they do, it shows where they are many.
    this.filled = { fit, side, isDense: inView > width * height * 0.12 };
  }

  private add(bins: Bins, fit: Fit, clip: Rect, side: number): number {
    const points = (this.coded ??= this.code());
    const blend = this.colours?.blend ?? 'mean';
    if (!this.index) return bins.add(points, 0, points.u.length, fit, clip, side, blend);
    // A pixel more on each side: cells are found in the unit square, with its rounding.
    const u = (px: number) => (px - fit.dx - fit.left) / fit.s;
    const v = (px: number) => (fit.top + fit.dy - px) / fit.s;
    let n = 0;
    this.index.ranges(u(clip.x0 - side - 1), v(clip.y1 + side + 1), u(clip.x1 + side + 1), v(clip.y0 - side - 1), (from, to) => {
      if (to > from) n += bins.add(points, from, to, fit, clip, side, blend);
    });
    return n;
  }

  /** Places and codes in the order in which they are binned. */
  private code(): Coded {
    const { u, v } = this.index ? this.index.sorted : { u: this.u, v: this.v };
    const rows = this.index?.rows ?? null;
    const n = u.length;
    const memory = (this.memory ??= { ordered: new Uint8Array(n), of: null, codes: new Uint16Array(n) });
    const bytes = this.colours?.bytes ?? null;
    if (bytes !== memory.of) {
      if (bytes) take(bytes, rows, memory.ordered);
      else memory.ordered.fill(0);
      memory.of = bytes;
    }
    if (this.levels) lower(this.levels, rows, memory.ordered, memory.codes);
    else memory.codes.set(memory.ordered);
    return { u, v, codes: memory.codes };
  }

  /** Colours as they are over the background, by how full a pixel is. */
  private mix() {
    const { plain, ghost, back } = this;
    const table = this.colours?.table ?? null;
    const word = (r: number, g: number, b: number, opacity: number) => {
      const over = (c: number, under: number) => Math.round(under + (c - under) * opacity);
      return ((255 << 24) | (over(b, back[2]) << 16) | (over(g, back[1]) << 8) | over(r, back[0])) >>> 0;
    };
    const mixed = new Uint32Array((FULLEST + 1) * 256);
    for (let n = 1; n <= FULLEST; n++) {
      const opacity = n === FULLEST ? 1 : Math.min(1, LEAST + 0.1 * Math.log2(n));
      for (let i = 0; i < 256; i++) {
        const [r, g, b] = table ? [table[i * 4], table[i * 4 + 1], table[i * 4 + 2]] : plain;
        mixed[n * 256 + i] = word(r, g, b, opacity);
      }
    }
    const missing = mixed[FULLEST * 256 + MISSING];
    const pale = (opacity: number) => word(ghost[0], ghost[1], ghost[2], opacity);
    return { mixed, missing, faded: pale(0.9), ghost: pale(0.43), back: word(back[0], back[1], back[2], 1) };
  }

  private paint(out: Uint32Array, { all, width, height }: Bins, sizePx: number): void {
    const { mixed, missing, faded, ghost, back } = (this.words ??= this.mix());
    const isMean = this.colours?.blend === 'mean';
    const isDense = this.filled?.isDense ?? false;
    const full = FULLEST * 256;
    for (let at = 0, end = out.length; at < end; at++) {
      const pixel = all[2 * at];
      const n = pixel & COUNT;
      if (n !== 0) {
        const of = all[2 * at + 1];
        const index = n === 1 || !isMean ? of : (of / n + 0.5) | 0;
        out[at] = mixed[(isDense && n < FULLEST ? n << 8 : full) + index];
        continue;
      }
      out[at] = pixel === 0 ? back : pixel & HAS_MISSING ? missing : pixel & HAS_FADED ? faded : ghost;
    }
    if (sizePx <= 2) enlarge(out, all, width, height);
  }

  pixels(): Uint8ClampedArray {
    return this.image ? this.image.data.slice() : new Uint8ClampedArray(0);
  }

  destroy(): void {
    this.image = this.bins = this.coded = this.index = null;
  }
}

/** Colour indices in another order. */
function take(bytes: Uint8Array, rows: Uint32Array | null, out: Uint8Array): void {
  if (!rows) {
    out.set(bytes);
    return;
  }
  for (let at = 0; at < rows.length; at++) out[at] = bytes[rows[at]];
}

/** Codes of points: their colours, but for those that are not drawn in full. */
function lower(levels: Uint8Array, rows: Uint32Array | null, colours: Uint8Array, codes: Uint16Array): void {
  for (let at = 0; at < codes.length; at++) {
    const level = levels[rows === null ? at : rows[at]];
    codes[at] = level === FULL ? colours[at] : level === FADED ? IS_FADED : IS_GHOST;
  }
}

/** Gives each pixel that has no neighbour four arms. */
function enlarge(out: Uint32Array, all: Uint32Array, width: number, height: number): void {
  const row = 2 * width;
  for (let y = 2; y < height - 2; y++) {
    for (let at = y * width + 2, end = (y + 1) * width - 2; at < end; at++) {
      const p = 2 * at;
      if ((all[p] & (COUNT | HAS_MISSING)) === 0) continue;
      if ((all[p - 2] | all[p + 2] | all[p - row] | all[p + row]) & COUNT) continue;
      if ((all[p - row - 2] | all[p - row + 2] | all[p + row - 2] | all[p + row + 2]) & COUNT) continue;
      const colour = out[at];
      out[at - 1] = out[at + 1] = out[at - width] = out[at + width] = colour;
    }
  }
}
