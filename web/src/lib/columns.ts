/** Which columns the table of rows shows: what it is filtered and sorted by is always seen. */

import { name as written } from './filter';

/** Names of a filter, as the language writes them; what stands in single quotes is a text and no name. */
const WORD = '[\\p{Alphabetic}_][\\p{Alphabetic}\\p{N}_.]*';
const NAMED = '"(?:[^"]|"")*"';
const TEXT = "'(?:[^']|'')*'";
const NAMES = new RegExp(`${TEXT}|(${NAMED})|(${WORD})(?:\\s*\\(\\s*(${WORD}|${NAMED}|${TEXT})\\s*\\))?`, 'gu');

const bare = (text: string) => (/^["']/.test(text) ? text.slice(1, -1).replaceAll(text[0].repeat(2), text[0]) : text);

/** Whether it means something by itself, so that a column of this name stands in quotes. */
const isOfLanguage = (word: string) => /^[a-z]+$/i.test(word) && written(word) !== word;

/** The columns that filters speak of, in their order. What is no column is passed over, as words of the language are. */
export function columnsOf(filters: readonly string[], known: ReadonlySet<string>): string[] {
  const out = new Set<string>();
  for (const filter of filters) {
    for (const [, named, word, inner] of filter.matchAll(NAMES)) {
      if (named === undefined && word === undefined) continue;
      const of = inner === undefined ? undefined : bare(inner);
      const whole = of === undefined ? [] : [`${word}(${of})`, `${word}_${of}`, ...(word === 'consensus' ? [of] : [])];
      const found = whole.find((name) => known.has(name));
      // What looks like a measure of a class may be `not (flag)`.
      const apart = [named ?? word, inner ?? "''"].filter((one) => !one.startsWith("'") && !isOfLanguage(one)).map(bare);
      for (const name of found === undefined ? apart : [found]) if (known.has(name)) out.add(name);
    }
  }
  return [...out];
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
