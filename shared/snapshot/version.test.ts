import { expect, test } from 'vitest';
import { introspect } from '../../test/introspect.ts';
import { contentOf, isIntact, sameContent, snapshotVersion, timeOf, withKeys } from './version.ts';

test('equal content has an equal hash, another table another', async () => {
  const script = 'create table a (id int primary key); create table b (id int references a);';
  const before = Date.now();
  const [one, two, three] = await Promise.all([
    introspect(script),
    introspect(script),
    introspect(`${script} create table c ();`),
  ]);
  expect(one.version).toMatch(/^[0-9a-z]+-[0-9a-f]{32}-[0-9a-f]{16}$/);
  expect(sameContent(two.version, one.version)).toBe(true);
  expect(sameContent(three.version, one.version)).toBe(false);
  expect(timeOf(one.version)).toBe(one.snapshot.loadedAt);
  // The database's clock, on this machine.
  expect(one.snapshot.loadedAt).toBeGreaterThanOrEqual(before - 1);
  expect(one.snapshot.loadedAt).toBeLessThanOrEqual(Date.now() + 1);
});

test('the version says when, what, and with which keys', async () => {
  const { snapshot } = await introspect('create table a (id int primary key)');
  const keys = [{ kty: 'oct', k: 'c2VjcmV0' }];
  const version = await snapshotVersion(snapshot, 1_000_000, keys);
  expect(version).toMatch(/^lfls-/);
  expect(contentOf(await snapshotVersion(snapshot, 2, structuredClone(keys)))).toBe(contentOf(version));
  expect(sameContent(await snapshotVersion(snapshot, 1_000_000, [{ kty: 'oct', k: 'b3RoZXI' }]), version)).toBe(false);
  expect(sameContent(await snapshotVersion(snapshot, 1_000_000, null), version)).toBe(false);
});

test('a snapshot is intact after a trip as JSON, and no longer when changed', async () => {
  const { snapshot } = await introspect('create table a (id int primary key);');
  expect(await isIntact(JSON.parse(JSON.stringify(snapshot)))).toBe(true);
  expect(await isIntact({ ...snapshot, routines: [], tables: [] })).toBe(false);
});

test('with other keys it is as intact, and another', async () => {
  const { snapshot } = await introspect('create table a (id int primary key);');
  const keys = { keys: [{ kty: 'RSA' }] };
  const again = await withKeys(snapshot, keys, 1_000_000);
  expect(again).toEqual({
    ...snapshot,
    loadedAt: 1_000_000,
    version: await snapshotVersion(snapshot, 1_000_000, keys),
  });
  expect(await isIntact(again)).toBe(true);
  expect(sameContent(again.version, snapshot.version)).toBe(false);
});
