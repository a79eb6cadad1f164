/**
 * How an image's brightness is shown: a table from 256 values to 256, a stretch as astronomers know them.
 *
 * The server has made eight bits of whatever the file holds; what is here makes the faint visible, and measures
 * nothing.
 */

export type Stretch = 'linear' | 'asinh' | 'log' | 'sqrt' | 'percentile';
export const STRETCHES: readonly Stretch[] = ['linear', 'asinh', 'log', 'sqrt', 'percentile'];

export interface Look {
  readonly stretch: Stretch;
  readonly invert: boolean;
  /** Red, green, blue. */
  readonly channels: readonly [boolean, boolean, boolean];
}

/** Values between which `percentile` stretches: 1 % of the pixels are darker, 1 % brighter. */
export function ends(pixels: ArrayLike<number>): [number, number] {
  const counts = new Uint32Array(256);
  let n = 0;
  for (let i = 0; i < pixels.length; i += 4) {
    for (let c = 0; c < 3; c++) counts[pixels[i + c]]++;
    n += 3;
  }
  let low = 0;
  let high = 255;
  for (let sum = counts[0]; low < 255 && sum <= n * 0.01; ) sum += counts[++low];
  for (let sum = counts[255]; high > 0 && sum <= n * 0.01; ) sum += counts[--high];
  return low < high ? [low, high] : [0, 255];
}

/** The table of a look. */
export function table(look: Look, [low, high]: readonly [number, number]): Uint8ClampedArray {
  const out = new Uint8ClampedArray(256);
  for (let v = 0; v < 256; v++) {
    const t = v / 255;
    const s =
      look.stretch === 'asinh'
        ? Math.asinh(t / 0.1) / Math.asinh(10)
        : look.stretch === 'log'
          ? Math.log1p(t * 1000) / Math.log1p(1000)
          : look.stretch === 'sqrt'
            ? Math.sqrt(t)
            : look.stretch === 'percentile'
              ? Math.min(1, Math.max(0, (v - low) / (high - low)))
              : t;
    out[v] = Math.round(255 * (look.invert ? 1 - s : s));
  }
  return out;
}

/** The picture with a look; red, green, blue, opacity of each pixel. */
export function shown(pixels: Uint8ClampedArray, look: Look): Uint8ClampedArray<ArrayBuffer> {
  const of = table(look, look.stretch === 'percentile' ? ends(pixels) : [0, 255]);
  const out = new Uint8ClampedArray(pixels.length);
  const [r, g, b] = look.channels;
  // One channel alone is shown in grey: a dark blue says nothing.
  const only = [r, g, b].filter(Boolean).length === 1 ? [r, g, b].indexOf(true) : -1;
  for (let i = 0; i < pixels.length; i += 4) {
    if (only >= 0) out[i] = out[i + 1] = out[i + 2] = of[pixels[i + only]];
    else {
      out[i] = r ? of[pixels[i]] : 0;
      out[i + 1] = g ? of[pixels[i + 1]] : 0;
      out[i + 2] = b ? of[pixels[i + 2]] : 0;
    }
    out[i + 3] = pixels[i + 3];
  }
  return out;
}
