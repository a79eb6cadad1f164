import { expect, test } from 'vitest';
import type { Question, QuestionTree } from '../src/api/types';
import { heading, joined, NONE, plain, shareOf, told, treeOf, walk } from '../src/lib/questions';

const question = (name: string, form: Question['form'], answers: [string, string?][], next?: string): Question => ({
  name,
  text: `${name}?`,
  form,
  is_marking: false,
  answers: answers.map(([label, next]) => ({ label, next })),
  next,
});
const tree = (workflow_id: string, questions: Question[]): QuestionTree => ({ workflow_id, title: workflow_id, version: '1.1', is_linked: true, first: questions[0].name, questions, left_out: [] });
const galaxies = tree('1', [
  question('T0', 'single', [['smooth', 'T2'], ['disk', 'T1'], ['star']]),
  question('T1', 'multiple', [['ring'], ['bar']], 'T2'),
  question('T2', 'single', [['yes'], ['again', 'T0']]),
]);
const open = (...said: [string, string][]) => walk(galaxies, new Map(said)).open?.name ?? null;

test('what is asked next follows what was answered', () => {
  expect(open()).toBe('T0');
  expect(open(['T0', 'smooth'])).toBe('T2');
  expect(open(['T0', 'disk'])).toBe('T1');
  expect(open(['T0', 'disk'], ['T1', 'ring|bar'])).toBe('T2');
  expect(open(['T0', 'star'])).toBe(null);
  expect(open(['T0', 'unsure'], ['T1', NONE])).toBe(null);
  expect(open(['T0', 'smooth'], ['T2', 'yes'])).toBe(null);
});

test('what does not lie on the way counts for nothing, and a circle ends', () => {
  expect(open(['T2', 'yes'])).toBe('T0');
  expect(open(['T0', 'smooth'], ['T2', 'again'])).toBe(null);
  expect(walk(galaxies, new Map([['T0', 'disk'], ['T1', 'ring'], ['T2', 'yes']])).asked.map((one) => one.name)).toEqual(['T0', 'T1', 'T2']);
  expect(walk({ ...galaxies, first: 'gone' }, new Map()).open).toBe(null);
});

test('several answers are one label, in the order of the question', () => {
  expect(joined(galaxies.questions[1], new Set(['bar', 'ring']))).toBe('ring|bar');
  expect(joined(galaxies.questions[1], new Set())).toBe('none');
  expect(told('ring|bar')).toBe('ring, bar');
  expect(told('nothing', { ...galaxies.questions[0], is_marking: true })).toBe('nothing to mark');
  expect(told('nothing', galaxies.questions[0])).toBe('nothing');
});

test('of several workflows the one in which a subject was shown', () => {
  const curves = tree('2', [question('w2.T1', 'single', [['sure']])]);
  const both = [galaxies, curves];
  expect(treeOf(both, { values: { 'consensus(T0.disk)': null, 'consensus(w2.T1.sure)': 0.5 } })).toBe(curves);
  expect(treeOf(both, { values: { 'consensus(T0.disk)': 0, 'consensus(w2.T1.sure)': null } })).toBe(galaxies);
  expect(treeOf(both, { workflow_id: '2', values: {} })).toBe(curves);
  expect(treeOf(both, { workflow_id: '9', values: {} })).toBe(galaxies);
  expect(treeOf([], { values: {} })).toBe(null);
  // One question's columns have its answers alone.
  expect(shareOf(curves.questions[0], 'sure', { 'consensus(sure)': 0.25 })).toBe(0.25);
});

test('what is asked is told without the marks of Markdown', () => {
  const text = '**Has it been rising?**\n\n## Note\nSee [the guide](https://x.y/z) ![a dip](dip.png) <b>';
  expect(plain(text)).toBe('Has it been rising?\n\nNote\nSee the guide a dip <b>');
  expect(heading({ ...galaxies.questions[0], text })).toBe('Has it been rising?');
  expect(heading({ ...galaxies.questions[0], text: '' })).toBe('T0');
});
