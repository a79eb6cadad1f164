import { describe, expect, it } from 'vitest';
import { checks } from '../src/lib/checks';

describe('checks of a light curve', () => {
  it('are those columns that there are, once, with what they say', () => {
    const found = checks({
      light_curves: { Momentum_Dump: true, centroid_shift: 0.4, background: null, period: 3, subject_id: 'a' },
      subjects: { centroid_shift: 9, in_out: 'false', backgrounds: true, score: 1 },
    });
    expect(found.map((one) => [one.column, one.cell, one.isFlagged])).toEqual([
      ['Momentum_Dump', true, true],
      ['centroid_shift', 0.4, false],
      ['in_out', 'false', false],
    ]);
    expect(checks({})).toEqual([]);
  });
});
