/**
 * Points binned into pixels on the processor: no graphics card, no WebGL.
 *
 * Each point adds its colour index to the pixel (and its neighbours, for larger points); a pixel then shows the mean
 * or the highest of its points, which does not depend on their order, and is the brighter the more there are. A point
 * that stands alone is drawn larger, so that outliers are seen.
 */
import { pxPerUnit, type Camera, type Size } from '../lib/camera';
import { FADED } from '../lib/mask';
import { MISSING } from '../lib/scale';
import type { Colours, PointLayer, Rgb } from './layer';

/** Opacity of a pixel with one point, where points overlap. */
const LEAST = 0.55;

export class CpuLayer implements PointLayer {
  readonly kind = 'cpu';
  private readonly context: CanvasRenderingContext2D;
  private u: Float32Array = new Float32Array(0);
  private v: Float32Array = new Float32Array(0);
  private colours: Colours | null = null;
  private levels: Uint8Array | null = null;
  private plain: Rgb = [90, 209, 192];
  private ghost: Rgb = [60, 68, 78];
  private image: ImageData | null = null;
  /** A pixel: points in full, sum (or highest) of their indices, points without a colour, faded ones, ghosts. */
  private n = new Uint32Array(0);
  private sum = new Uint32Array(0);
  private other = new Uint8Array(0);

  constructor(private readonly canvas: HTMLCanvasElement) {
    const context = canvas.getContext('2d', { alpha: true });
    if (!context) throw new Error('this browser draws no pictures; use another one');
    this.context = context;
  }

  setXY(u: Float32Array, v: Float32Array): void {
    [this.u, this.v] = [u, v];
  }

  setColours(colours: Colours | null): void {
    this.colours = colours;
  }

  setLevels(levels: Uint8Array | null): void {
    this.levels = levels;
  }

  setPlain(plain: Rgb, ghost: Rgb): void {
    [this.plain, this.ghost] = [plain, ghost];
  }

  draw(camera: Camera, size: Size, sizePx: number): void {
    const [width, height] = [Math.max(1, size.width | 0), Math.max(1, size.height | 0)];
    if (!this.image || this.image.width !== width || this.image.height !== height) {
      this.canvas.width = width;
      this.canvas.height = height;
      this.image = this.context.createImageData(width, height);
      this.n = new Uint32Array(width * height);
      this.sum = new Uint32Array(width * height);
      this.other = new Uint8Array(width * height);
    } else {
      this.n.fill(0);
      this.sum.fill(0);
      this.other.fill(0);
    }
    const inView = this.bin(camera, { width, height }, Math.max(1, Math.round(sizePx)));
    this.paint(width, height, inView, sizePx);
    this.context.putImageData(this.image, 0, 0);
  }

  /** Puts every point into its pixels; how many are in view. */
  private bin(camera: Camera, { width, height }: Size, side: number): number {
    const { u, v, levels, n, sum, other } = this;
    const bytes = this.colours?.bytes ?? null;
    const isMax = this.colours?.blend === 'max';
    const isCategory = this.colours?.blend === 'category';
    const s = pxPerUnit(camera, { width, height });
    const left = width / 2 - camera.cx * s;
    const top = height / 2 + camera.cy * s;
    const half = (side - 1) >> 1;
    let inView = 0;
    for (let i = 0; i < u.length; i++) {
      const x = left + u[i] * s;
      const y = top - v[i] * s;
      // NaN fails every comparison.
      if (!(x >= 0 && x < width && y >= 0 && y < height)) continue;
      const level = levels ? levels[i] : 1;
      const colour = bytes ? bytes[i] : 0;
      inView++;
      if (side === 1) {
        const at = (y | 0) * width + (x | 0);
        if (level === 1 && colour !== MISSING) {
          n[at]++;
          if (isMax || isCategory) sum[at] = isMax ? Math.max(sum[at], colour) : colour;
          else sum[at] += colour;
        } else other[at] |= level === 1 ? 1 : level === FADED ? 2 : 4;
        continue;
      }
      const [x0, y0] = [(x | 0) - half, (y | 0) - half];
      for (let py = Math.max(0, y0); py < Math.min(height, y0 + side); py++) {
        for (let px = Math.max(0, x0); px < Math.min(width, x0 + side); px++) {
          // The corners of large points are left out: they look round.
          const isCorner = side > 3 && (py === y0 || py === y0 + side - 1) && (px === x0 || px === x0 + side - 1);
          if (isCorner) continue;
          const at = py * width + px;
          if (level === 1 && colour !== MISSING) {
            n[at]++;
            if (isMax || isCategory) sum[at] = isMax ? Math.max(sum[at], colour) : colour;
            else sum[at] += colour;
          } else other[at] |= level === 1 ? 1 : level === FADED ? 2 : 4;
        }
      }
    }
    return inView;
  }

  private paint(width: number, height: number, inView: number, sizePx: number): void {
    const image = this.image as ImageData;
    const out = new Uint32Array(image.data.buffer);
    const { n, sum, other } = this;
    const table = this.colours ? packed(this.colours.table) : null;
    const isMean = this.colours?.blend === 'mean';
    const word = (rgb: Rgb, opacity: number) =>
      ((opacity << 24) | (rgb[2] << 16) | (rgb[1] << 8) | rgb[0]) >>> 0;
    const plain = word(this.plain, 255);
    const missing = table ? table[MISSING] : plain;
    const [faded, ghost] = [word(this.ghost, 230), word(this.ghost, 110)];
    // Where points hardly overlap, opacity says nothing; where they do, it shows where they are many.
    const isDense = inView > width * height * 0.12;
    for (let at = 0; at < n.length; at++) {
      const count = n[at];
      if (count) {
        const colour = table ? table[isMean ? (sum[at] / count + 0.5) | 0 : sum[at]] : plain;
        const opacity = isDense ? Math.min(1, LEAST + 0.1 * Math.log2(count)) : 1;
        out[at] = ((((opacity * 255) | 0) << 24) | (colour & 0xffffff)) >>> 0;
      } else if (other[at]) {
        out[at] = other[at] & 1 ? missing : other[at] & 2 ? faded : ghost;
      } else out[at] = 0;
    }
    if (sizePx <= 2) this.enlarge(out, width, height);
  }

  /** Gives each pixel that has no neighbour four arms. */
  private enlarge(out: Uint32Array, width: number, height: number): void {
    const { n, other } = this;
    for (let y = 2; y < height - 2; y++) {
      for (let at = y * width + 2, end = (y + 1) * width - 2; at < end; at++) {
        if (n[at] === 0 && (other[at] & 1) === 0) continue;
        const around =
          n[at - 1] | n[at + 1] | n[at - width] | n[at + width] |
          n[at - width - 1] | n[at - width + 1] | n[at + width - 1] | n[at + width + 1];
        if (around) continue;
        const colour = out[at];
        out[at - 1] = out[at + 1] = out[at - width] = out[at + width] = colour;
      }
    }
  }

  pixels(): Uint8ClampedArray {
    return this.image ? this.image.data.slice() : new Uint8ClampedArray(0);
  }

  destroy(): void {
    this.image = null;
  }
}

/** A table of colours as words in the order of the picture's bytes. */
function packed(table: Uint8Array): Uint32Array {
  const out = new Uint32Array(256);
  for (let i = 0; i < 256; i++) {
    const [r, g, b] = [table[i * 4], table[i * 4 + 1], table[i * 4 + 2]];
    out[i] = ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;
  }
  return out;
}

