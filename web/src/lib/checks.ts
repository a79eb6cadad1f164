/** Columns that are checks of a light curve, as LATTE's report asks for them, whatever their table is. */
import type { Cell } from '../api/types';

export interface Check {
  readonly column: string;
  readonly text: string;
  readonly cell: Cell;
  /** Whether it says that something is wrong. */
  readonly isFlagged: boolean;
}

const KNOWN: readonly (readonly [RegExp, string])[] = [
  [/^momentum_dumps?$|^near_momentum_dump$/, 'no momentum dump at the dip'],
  [/^background(_flux|_change|_ok)?$/, 'background flux stays'],
  [/^centroid(_shift|_offset|_moves)?$/, 'the star does not move'],
  [/^aperture(_size|_pair|_differs)?$/, 'the same in both apertures'],
  [/^(in_out|in_out_flux|difference_image)$/, 'flux goes where the star is'],
  [/^nearby_stars?$|^n_nearby(_stars)?$/, 'no nearby star explains it'],
  [/^bls(_period|_power|_depth|_snr)?$/, 'box least squares finds it'],
  [/^(secondary|secondary_eclipse|odd_even)$/, 'no other depth in between'],
];

export function checks(values: Record<string, Record<string, Cell>>): Check[] {
  const out = new Map<string, Check>();
  for (const cells of Object.values(values)) {
    for (const [column, cell] of Object.entries(cells)) {
      const known = KNOWN.find(([pattern]) => pattern.test(column.toLowerCase()));
      if (known && cell !== null && cell !== '' && !out.has(column)) out.set(column, { column, text: known[1], cell, isFlagged: cell === true || cell === 'true' });
    }
  }
  return [...out.values()];
}
