/**
 * Text of the slice language, as chips and histograms write it. The one parser is the server's; here nothing is
 * understood, only written.
 */

const WORDS = new Set(['and', 'or', 'not', 'in', 'between', 'is', 'missing', 'contains', 'true', 'false']);

/** A column's name as the language takes it. */
export function name(column: string): string {
  const isPlain = (word: string) => /^[A-Za-z_][A-Za-z0-9_]*$/.test(word) && !WORDS.has(word.toLowerCase());
  const [, measure, of] = /^([^()]*)\(([^()]*)\)$/.exec(column) ?? [];
  const isFine = isPlain(column) || (measure !== undefined && isPlain(measure) && isPlain(of));
  return isFine ? column : `"${column.replaceAll('"', '""')}"`;
}

export function text(value: string): string {
  return `'${value.replaceAll("'", "''")}'`;
}

/** A number with as few digits as say which it is. */
export function number(value: number): string {
  return String(value);
}

export function between(column: string, low: number, high: number): string {
  return `${name(column)} between ${number(low)} and ${number(high)}`;
}

export function oneOf(column: string, values: readonly string[]): string {
  return `${name(column)} in (${values.map(text).join(', ')})`;
}

/** All of them at once; `null` if there are none. */
export function all(filters: readonly string[]): string | null {
  const kept = filters.map((f) => f.trim()).filter((f) => f);
  if (kept.length === 0) return null;
  return kept.length === 1 ? kept[0] : kept.map((f) => `(${f})`).join(' and ');
}
