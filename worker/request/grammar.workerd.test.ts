import { expect, test } from 'vitest';
import { logicTree } from './logic.ts';
import { parseText } from './parsec.ts';
import { selectItems } from './select.ts';

/** In the deepest nesting that is allowed, the stack of workerd suffices, errors included. */
test('deep nesting', () => {
  const select = `${'a('.repeat(499)}b${')'.repeat(499)}`;
  const logic = `${'and('.repeat(499)}a.eq.1${')'.repeat(499)}`;
  expect(parseText(selectItems, select, 'select parameter')).toHaveLength(1);
  expect(parseText(logicTree, logic, 'logic tree')).toMatchObject({ kind: 'expression' });
  expect(() => parseText(selectItems, select.replace('b', 'b['), 'select parameter')).toThrow(/failed to parse select/);
  expect(() => parseText(logicTree, 'and('.repeat(100_000), 'logic tree')).toThrow(/nested too deeply/);
});
