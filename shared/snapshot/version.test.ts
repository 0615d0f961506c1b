import { expect, test } from 'vitest';
import { introspect } from '../../test/introspect.ts';
import { isIntact, snapshotVersion } from './version.ts';

test('the version says when and what: equal content has an equal hash, another table another', async () => {
  const script = 'create table a (id int primary key); create table b (id int references a);';
  const [one, two, three] = await Promise.all([
    introspect(script),
    introspect(script),
    introspect(`${script} create table c ();`),
  ]);
  expect(one.version).toMatch(/^0-[0-9a-f]{32}$/);
  expect(two.version).toBe(one.version);
  expect(three.version).not.toBe(one.version);
  expect(await snapshotVersion(one.snapshot, 1_000_000)).toBe(`lfls-${one.version.slice(2)}`);
});

test('a snapshot is intact after a trip as JSON, and no longer when changed', async () => {
  const { snapshot } = await introspect('create table a (id int primary key);');
  expect(await isIntact(JSON.parse(JSON.stringify(snapshot)))).toBe(true);
  expect(await isIntact({ ...snapshot, routines: [], tables: [] })).toBe(false);
});
