/**
 * Colour scales as tables of 256 colours, the last of which is for missing values.
 *
 * Sequential ones are the perceptually even viridis, cividis and inferno (Smith & van der Walt; Nuñez et al. 2018),
 * by anchors 0.1 apart; a diverging one is for signed columns only. Categories take the eight colours of Okabe & Ito,
 * which people with any colour vision can tell apart, and four more.
 */
import { MISSING } from './scale';

export type Palette = 'viridis' | 'cividis' | 'inferno' | 'diverging';
export const PALETTES: readonly Palette[] = ['viridis', 'cividis', 'inferno', 'diverging'];

const ANCHORS: Record<Palette, readonly string[]> = {
  viridis:
    '440154 482475 414487 355f8d 2a788e 21918c 22a884 44bf70 7ad151 bddf26 fde725'.split(' '),
  cividis: '00224e 123570 3b496c 575d6d 707173 8a8678 a59c74 c3b369 e1cc55 fee838'.split(' '),
  inferno:
    '000004 160b39 420a68 6a176e 932667 bc3754 dd513a f37819 fca50a f6d746 fcffa4'.split(' '),
  diverging: '2166ac 4393c3 92c5de d1e5f0 f7f7f7 fddbc7 f4a582 d6604d b2182b'.split(' '),
};

/** Okabe & Ito's eight without black, then four lighter ones. */
export const CATEGORIES: readonly string[] =
  'e69f00 56b4e9 009e73 f0e442 0072b2 d55e00 cc79a7 a58aff 8bd3c7 c49c94 9edae5'.split(' ');
/** What is none of the most frequent. */
const OTHERS = '8a8f98';

export type Theme = 'dark' | 'light';

const GREY: Record<Theme, readonly [number, number, number]> = {
  dark: [88, 98, 110],
  light: [190, 196, 204],
};

function rgb(hex: string): [number, number, number] {
  const n = parseInt(hex, 16);
  return [n >> 16, (n >> 8) & 255, n & 255];
}

/** The part of a palette that can be seen: its dark end fades into a dark page, its light end into a white one. */
function visible(palette: Palette, theme: Theme): [number, number] {
  if (palette === 'diverging') return [0, 1];
  return theme === 'dark' ? [palette === 'inferno' ? 0.22 : 0.1, 1] : [0, palette === 'inferno' ? 0.85 : 0.9];
}

/** A colour at a place from 0 to 1. */
export function colourAt(palette: Palette, theme: Theme, t: number): [number, number, number] {
  const [from, to] = visible(palette, theme);
  const anchors = ANCHORS[palette];
  const at = (from + (to - from) * Math.min(1, Math.max(0, t))) * (anchors.length - 1);
  const below = Math.min(Math.floor(at), anchors.length - 2);
  const [a, b] = [rgb(anchors[below]), rgb(anchors[below + 1])];
  const mix = (i: 0 | 1 | 2) => Math.round(a[i] + (b[i] - a[i]) * (at - below));
  return [mix(0), mix(1), mix(2)];
}

/** Four bytes a colour, 256 of them. */
export type Table = Uint8Array;

/** The table of a palette. */
export function sequential(palette: Palette, theme: Theme): Table {
  const table = new Uint8Array(256 * 4);
  for (let i = 0; i < MISSING; i++) table.set([...colourAt(palette, theme, i / (MISSING - 1)), 255], i * 4);
  table.set([...GREY[theme], 255], MISSING * 4);
  return table;
}

/** The table of categories: index = place in the list of the most frequent, the next one = all others. */
export function categorical(theme: Theme): Table {
  const table = new Uint8Array(256 * 4);
  for (let i = 0; i < MISSING; i++) table.set([...rgb(CATEGORIES[i] ?? OTHERS), 255], i * 4);
  table.set([...GREY[theme], 255], MISSING * 4);
  return table;
}

/** As a style sheet writes it. */
export function css(table: Table, index: number): string {
  return `rgb(${table[index * 4]} ${table[index * 4 + 1]} ${table[index * 4 + 2]})`;
}

/**
 * Codes of a column of texts to colour indices: the most frequent get colours of their own, in order of their
 * counts, then of their names. Returns the codes in that order too.
 */
export function categoryBytes(
  codes: ArrayLike<number>,
  texts: readonly string[],
  missing: number,
): { bytes: Uint8Array; order: number[]; counts: Uint32Array; nMissing: number } {
  const counts = new Uint32Array(texts.length);
  let nMissing = 0;
  for (let i = 0; i < codes.length; i++) {
    if (codes[i] === missing) nMissing++;
    else counts[codes[i]]++;
  }
  const order = texts.map((_, code) => code);
  order.sort((a, b) => counts[b] - counts[a] || (texts[a] < texts[b] ? -1 : 1));
  const index = new Uint8Array(texts.length).fill(CATEGORIES.length);
  order.slice(0, CATEGORIES.length).forEach((code, at) => (index[code] = at));
  const bytes = new Uint8Array(codes.length);
  for (let i = 0; i < codes.length; i++) bytes[i] = codes[i] === missing ? MISSING : index[codes[i]];
  return { bytes, order, counts, nMissing };
}
