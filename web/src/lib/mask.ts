/**
 * Which rows: bitmasks as the server sends them (the first row lowest, in base64), bytes as the renderers want them.
 */

/** How a point is drawn. */
export const GHOST = 0;
export const FULL = 1;
export const FADED = 2;

/** One bit a row. */
export class Mask {
  constructor(
    readonly bits: Uint8Array,
    readonly nRows: number,
  ) {}

  /** From base64, as it comes over the wire. Throws where the length is not that of the table. */
  static decode(text: string, nRows: number): Mask {
    const binary = atob(text);
    const bits = new Uint8Array(binary.length);
    for (let i = 0; i < binary.length; i++) bits[i] = binary.charCodeAt(i);
    if (bits.length !== Math.ceil(nRows / 8)) {
      throw new Error(`a selection of ${bits.length} bytes came for ${nRows} rows; load the page anew`);
    }
    return new Mask(bits, nRows);
  }

  /** Rows where something holds. */
  static of(nRows: number, holds: (row: number) => boolean): Mask {
    const bits = new Uint8Array(Math.ceil(nRows / 8));
    for (let row = 0; row < nRows; row++) if (holds(row)) bits[row >> 3] |= 1 << (row & 7);
    return new Mask(bits, nRows);
  }

  has(row: number): boolean {
    return row >= 0 && row < this.nRows && ((this.bits[row >> 3] >> (row & 7)) & 1) === 1;
  }

  count(): number {
    let n = 0;
    for (const byte of this.bits) n += ONES[byte];
    return n;
  }

  /** The first rows that are in. */
  rows(limit = Infinity): number[] {
    const out: number[] = [];
    for (let row = 0; row < this.nRows && out.length < limit; row++) if (this.has(row)) out.push(row);
    return out;
  }
}

const ONES = Uint8Array.from({ length: 256 }, (_, byte) => {
  let n = 0;
  for (let left = byte; left; left &= left - 1) n++;
  return n;
});

/**
 * How each point is drawn: in full where it passes the filter and is selected, faded where it passes and others are
 * selected, as a ghost where it does not pass. `null`: everything in full.
 */
export function levels(nRows: number, passes: Mask | null, selected: Mask | null): Uint8Array | null {
  if (!passes && !selected) return null;
  // Eight rows at a time: a byte of bits is two words of four bytes.
  const nBytes = Math.ceil(nRows / 8);
  const words = new Uint32Array(2 * nBytes);
  const [passing, chosen] = [passes?.bits, selected?.bits];
  for (let at = 0; at < nBytes; at++) {
    const passed = passing ? passing[at] : 255;
    const full = chosen ? passed & chosen[at] : passed;
    const faded = passed & ~full;
    words[2 * at] = FULL * SPREAD[full & 15] + FADED * SPREAD[faded & 15];
    words[2 * at + 1] = FULL * SPREAD[full >> 4] + FADED * SPREAD[faded >> 4];
  }
  return new Uint8Array(words.buffer, 0, nRows);
}

/** Four bits as four bytes of a word, the lowest bit first in memory. */
const SPREAD = Uint32Array.from({ length: 16 }, (_, bits) => {
  const bytes = Uint8Array.from({ length: 4 }, (_, at) => (bits >> at) & 1);
  return new Uint32Array(bytes.buffer)[0];
});
