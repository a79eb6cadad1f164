/** Which labels are meant by what is done with them. */
import type { Label } from '../api/types';

/** The question of a label that calls a subject something begins so. */
export const TAG = 'tag:';
/** And that of one that says that somebody has looked at a check. */
const CHECK = 'check:';
const RELEVANCE = 'relevance';

/** Whether a label answers what is asked in a place: how interesting something is, or what it is. */
function isOf(label: Label, question: string): boolean {
  if (question === RELEVANCE) return label.question === RELEVANCE;
  return label.question !== RELEVANCE && !label.question.startsWith(TAG) && !label.question.startsWith(CHECK);
}

/** The last one that somebody gave there. */
export function latestOf(labels: readonly Label[], by: string, question: string): Label | null {
  const own = labels.filter((label) => label.by === by && isOf(label, question));
  return own.reduce<Label | null>((last, one) => (last === null || one.at >= last.at ? one : last), null);
}

/** What holds after one more line: the last of each person on each subject and question, but what it takes back. */
export function held(labels: readonly Label[], line: Label): Label[] {
  const { subject_id, question, by, value, retracts } = line;
  const isOther = (one: Label) => one.subject_id !== subject_id || one.question !== question || one.by !== by;
  return value === undefined ? labels.filter((one) => one.id !== retracts) : [...labels.filter(isOther), line];
}

/** A tag as Talk writes it: without the sign before it, in small letters. */
export function tagOf(text: string): string {
  return text.trim().replace(/^#+/, '').toLowerCase();
}

/** Why a text is no tag; empty where it is one. */
export function whyNoTag(tag: string): string {
  return tag.includes(';') ? 'A tag has no “;”, which stands between tags: give them one by one.' : '';
}
