import { expect, test } from 'vitest';
import { codeIn } from '../src/lib/format';

test('what stands between backticks is code, and one alone is a sign', () => {
  expect(codeIn('no code')).toEqual(['no code']);
  expect(codeIn('`volary run` or `volary init`')).toEqual(['', 'volary run', ' or ', 'volary init', '']);
  expect(codeIn('`a` and ` alone')).toEqual(['', 'a', ' and ` alone']);
  expect(codeIn('`')).toEqual(['`']);
});
