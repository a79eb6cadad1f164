/** Which columns the table of rows shows: what it is filtered and sorted by is always seen. */

import { names, parse } from '../copy/filter';

/** The columns that filters speak of, in their order. What is no column, or cannot be followed, is passed over. */
export function columnsOf(filters: readonly string[], known: ReadonlySet<string>): string[] {
  const of = (filter: string) => {
    try {
      return names(parse(filter)).flatMap((one) => one.names.find((name) => known.has(name)) ?? []);
    } catch {
      return [];
    }
  };
  return [...new Set(filters.flatMap(of))];
}

/** Columns that are proposed where nobody chose any. */
export const MOST = 9;

export interface Shown {
  /** In their order from left to right. */
  readonly columns: string[];
  /** Of these: they stay for as long as they filter or sort. */
  readonly fixed: ReadonlySet<string>;
  /** Of these: what is kept when another one is chosen. One that only sorts goes with its order. */
  readonly kept: string[];
}

/**
 * What the filters speak of first, and what sorts too where it is not among the others: one that is clicked stays where
 * it is.
 */
export function shown(known: ReadonlySet<string>, filters: readonly string[], sort: string, chosen: readonly string[] | null, proposed: readonly string[]): Shown {
  const own = chosen?.filter((name) => known.has(name)) ?? [];
  // Columns of another table are no choice; none at all is one.
  const isChosen = own.length > 0 || chosen?.length === 0;
  const filtered = columnsOf(filters, known);
  const others = (first: readonly string[]) => {
    const rest = (isChosen ? own : proposed).filter((name) => !first.includes(name));
    return isChosen ? rest : rest.slice(0, Math.max(0, MOST - first.length));
  };
  const by = known.has(sort) ? [sort] : [];
  const isSeen = by.every((name) => filtered.includes(name) || others(filtered).includes(name));
  const first = isSeen ? filtered : [...by, ...filtered];
  return { columns: [...first, ...others(first)], fixed: new Set([...filtered, ...by]), kept: [...filtered, ...others(first)] };
}
