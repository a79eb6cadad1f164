/**
 * A workflow's questions and which follows which answer. A subject is vetted along them: what is asked next depends on
 * what was said, and so on until nothing follows. The server walks the same way (`volary_web::project::questions`).
 */
import type { Cell, Question, QuestionTree, Row } from '../api/types';

/** Labels that are no answers and end what is asked of a subject. */
const ENDS = ['unsure', 'artefact'];
/** Between the answers of a question that takes several. */
const AND = '|';
/** Of a question that takes several, when none was ticked. */
export const NONE = 'none';

/** What somebody said of one subject, by question. */
export type Said = ReadonlyMap<string, string>;

/** The questions that were asked, in their order, and the one that is open; none where all is answered. */
export function walk(tree: QuestionTree, said: Said): { asked: Question[]; open: Question | null } {
  const find = (name: string | undefined) => tree.questions.find((one) => one.name === name);
  const asked: Question[] = [];
  let at = find(tree.first);
  while (at && asked.length < tree.questions.length) {
    const value = said.get(at.name);
    if (value === undefined) return { asked, open: at };
    asked.push(at);
    if (ENDS.includes(value)) break;
    const own = at.form === 'single' ? at.answers.find((one) => one.label === value)?.next : undefined;
    at = find(own ?? at.next);
  }
  return { asked, open: null };
}

/** The answers that were ticked, as one label; in the order of the question, so that the same ticks are the same. */
export function joined(question: Question, ticked: ReadonlySet<string>): string {
  return question.answers.map((one) => one.label).filter((label) => ticked.has(label)).join(AND) || NONE;
}

/** A label as people read it; what is said of a task of marks stands for more than its word. */
export function told(value: string, question?: Question): string {
  if (question?.is_marking && ['something', 'nothing'].includes(value)) return `${value} to mark`;
  return value.replaceAll(AND, ', ');
}

/** What is asked, without the marks of Markdown in which builders of projects write. */
export function plain(text: string): string {
  return text
    .replace(/!?\[([^\]]*)\]\([^)]*\)/g, '$1')
    .replace(/\*\*|__/g, '')
    .replace(/^#+\s*/gm, '')
    .trim();
}

/** The first line of what is asked, where there is room for no more. */
export function heading(question: Question): string {
  return plain(question.text).split('\n')[0] || question.name;
}

/** The column with the crowd's share of an answer, if there is one. */
export function shareOf(question: Question, answer: string, values: Readonly<Record<string, Cell>>): number | null {
  for (const column of [`consensus(${question.name}.${answer})`, `consensus(${answer})`]) {
    const value = values[column];
    if (typeof value === 'number') return value;
  }
  return null;
}

/** Of several workflows the one in which volunteers saw a subject: it is told, or their shares tell. Else the first. */
export function treeOf(trees: readonly QuestionTree[], row: Pick<Row, 'workflow_id' | 'values'>): QuestionTree | null {
  const isOf = (tree: QuestionTree) => tree.questions.some((one) => one.answers.some((answer) => shareOf(one, answer.label, row.values) !== null));
  return trees.find((tree) => tree.workflow_id === row.workflow_id) ?? trees.find(isOf) ?? trees[0] ?? null;
}
