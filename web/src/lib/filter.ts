/**
 * Text of the slice language, as chips and histograms write it. The one parser is the server's; here nothing is
 * understood, only written.
 */

const WORDS = new Set(['and', 'or', 'not', 'in', 'between', 'is', 'missing', 'contains', 'has', 'true', 'false']);

/** The command that counts what a filter selects: of the table's own file, joined with those of the filter's columns. */
export function command(columns: readonly { name: string; file?: string }[], filter: string, rest = ''): string {
  const main = (columns.find((c) => c.name === 'subject_id') ?? columns[0])?.file ?? 'TABLE';
  const named = columns.filter((c) => c.file && c.file !== main && filter.includes(name(c.name)));
  const joined = [...new Set(named.map((c) => c.file))].map((file) => ` --with ${shell(file!)}`);
  return `volary slice ${shell(main)}${joined.join('')} ${quoted(filter)}${rest}`;
}

/** A path as a shell takes it. */
function shell(path: string): string {
  return /^[\w./-]+$/.test(path) ? path : quoted(path);
}

function quoted(text: string): string {
  return `"${text.replace(/[\\"$`]/g, '\\$&')}"`;
}

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

/** A number as the language writes it: decimal, with a point, at most with a power of ten. */
const NUMBER = '[-+]?(?:[0-9]+[.]?[0-9]*|[.][0-9]+)(?:[eE][-+]?[0-9]+)?';

/** What somebody typed as a number; `null` where it is none, or none that can be kept. */
export function numberOf(text: string): number | null {
  const plain = text.trim().replace('−', '-');
  const found = new RegExp(`^${NUMBER}$`).test(plain) ? Number(plain) : NaN;
  return Number.isFinite(found) ? found : null;
}

export function between(column: string, low: number, high: number): string {
  return `${name(column)} between ${number(low)} and ${number(high)}`;
}

/** The ends of a filter that says of this column that it lies between two numbers, and nothing else; else `null`. */
export function endsOf(filter: string, column: string): [number, number] | null {
  const start = `${name(column)} between `;
  if (!filter.startsWith(start)) return null;
  const found = new RegExp(`^(${NUMBER}) and (${NUMBER})$`).exec(filter.slice(start.length));
  return found ? [Number(found[1]), Number(found[2])] : null;
}

/** Filters without those of a slider of this column: what somebody wrote stays, also where it begins alike. */
export function without(filters: readonly string[], column: string): string[] {
  return filters.filter((filter) => endsOf(filter, column) === null);
}

/** That at least two of some conditions hold. By halves: of every pair one would be too long. */
export function several(conditions: readonly string[]): string | null {
  if (conditions.length < 2) return null;
  const middle = conditions.length >> 1;
  const [left, right] = [conditions.slice(0, middle), conditions.slice(middle)];
  const both = `((${left.join(' or ')}) and (${right.join(' or ')}))`;
  return [both, several(left), several(right)].filter((one) => one !== null).join(' or ');
}

/** Columns of text that are searched: each makes the filter longer, which people read. */
const MOST_SEARCHED = 6;

/** That a text stands in a subject's id, in one of its tags, or in another text of its row. */
export function holding(wanted: string, columns: readonly { name: string; kind: string; n_missing: number }[], hasTags: boolean): string {
  const isSearched = ({ name, kind }: { name: string; kind: string }) => kind === 'text' && name !== 'subject_id' && !(hasTags && name === 'tags');
  const texts = columns.filter(isSearched).slice(0, MOST_SEARCHED);
  // A tag is `ring`, and is shown as `#ring`.
  const sought = hasTags && wanted.length > 1 ? wanted.replace(/^#/, '') : wanted;
  const has = (column: string) => `${name(column)} contains ${text(sought)}`;
  // Of a missing text nobody could say whether it holds; here it does not.
  const known = (column: string) => `${name(column)} is not missing and ${has(column)}`;
  const others = texts.map((one) => (one.n_missing ? known(one.name) : has(one.name)));
  return [has('subject_id'), ...(hasTags ? [known('tags')] : []), ...others].join(' or ');
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

/** Ready-made filters of who may be meant, with what they say to people. */
export interface Choice {
  readonly filter: string;
  readonly text: string;
}

/** What the share of an answer is above where it is high. */
const HIGH = 0.7;
/** Tags that are offered; all can be written. */
const MOST_TAGS = 12;

/** Those that are called so; `tags` holds all names of a subject, with `;` between. */
export const called = (tag: string) => `tags has ${text(tag)}`;

/** Most votes, or most of what a machine gives, are for the answer of this column. */
export function most(column: string): string {
  return `${name(column)} > ${HIGH}`;
}

/** The filters that a table's columns and its tags offer: an answer, retired or not, tagged. */
export function among(columns: readonly string[], tags: readonly string[]): Choice[] {
  const out: Choice[] = columns
    .filter((column) => /^(consensus|predicted)\(/.test(column))
    .map((column) => ({ filter: most(column), text: `${column} > ${HIGH}` }));
  if (columns.includes('retirement_reason')) {
    out.push({ filter: 'retirement_reason is not missing', text: 'retired' }, { filter: 'retirement_reason is missing', text: 'not retired' });
  }
  if (tags.length) out.push({ filter: 'tags is not missing', text: 'tagged' });
  return [...out, ...tags.slice(0, MOST_TAGS).map((tag) => ({ filter: called(tag), text: `tagged ${tag}` }))];
}

/** Whether it is a second table's column of a name that a first one has: `consensus(ring) (other)`. */
export function isSecond(column: string, all: readonly { name: string }[]): boolean {
  const names = new Set(all.map((one) => one.name));
  return column.endsWith(')') && [...column.matchAll(/ \(/g)].some(({ index }) => names.has(column.slice(0, index)));
}
