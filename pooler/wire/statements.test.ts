import { expect, test } from 'vitest';
import { StatementRegistry } from './statements.ts';

const ready = (registry: StatementRegistry, text: string, scope: string, batch: number) => {
  const statement = registry.use(text, scope, batch);
  statement.state = 'ready';
  return statement;
};

test('the same text in the same scope has one name, in another scope another', () => {
  const registry = new StatementRegistry(10);
  const first = ready(registry, 'select 1', 'alice', 1);
  expect(registry.use('select 1', 'alice', 2)).toBe(first);
  expect(registry.use('select 1', 'bob', 2).name).not.toBe(first.name);
  expect(registry.size).toBe(2);
});

test('the least recently used one goes, but none that the same batch uses', () => {
  const registry = new StatementRegistry(2);
  const [a, b] = [ready(registry, 'a', '', 1), ready(registry, 'b', '', 2)];
  registry.use('a', '', 3);
  ready(registry, 'c', '', 4);
  expect(registry.takeClosing()).toEqual([b.name]);
  ready(registry, 'd', '', 4);
  expect(registry.takeClosing()).toEqual([a.name]);
  ready(registry, 'e', '', 4);
  expect([registry.takeClosing(), registry.size]).toEqual([[], 3]);
  ready(registry, 'f', '', 5);
  expect([registry.takeClosing().length, registry.size]).toEqual([2, 2]);
});

test('of long texts fewer are kept', () => {
  const registry = new StatementRegistry(100);
  for (let i = 0; i < 20; i++) ready(registry, `${i}`.padEnd(1024 * 1024), '', i);
  expect([registry.takeClosing().length, registry.size]).toEqual([12, 8]);
  // One that is too long by itself stays for as long as it is used.
  const long = ready(registry, ''.padEnd(10 * 1024 * 1024), '', 21);
  expect([registry.size, registry.use(long.text, '', 22)]).toEqual([1, long]);
});

test('what was never parsed is forgotten without a Close; what was not closed is closed again', () => {
  const registry = new StatementRegistry(2);
  const a = registry.use('a', '', 1);
  registry.forget(a);
  registry.forget(a);
  expect([registry.size, registry.takeClosing()]).toEqual([0, []]);
  const again = ready(registry, 'a', '', 2);
  expect(again.name).not.toBe(a.name);
  registry.discardAll();
  const names = registry.takeClosing();
  expect(names).toEqual([again.name]);
  registry.unclosed(names);
  expect(registry.takeClosing()).toEqual([again.name]);
});
