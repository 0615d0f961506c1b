import { afterEach, expect, test } from 'vitest';
import type { Config } from '../../shared/config/resolve.ts';
import { resolveConfig } from '../../shared/config/resolve.ts';
import { contentOf, timeOf } from '../../shared/snapshot/version.ts';
import { createDatabase, type TestDatabase, uniqueName } from '../../test/postgres.ts';
import { parseConnectionString } from '../wire/uri.ts';
import { SnapshotSource, type SourceEvent } from './source.ts';

const cleanups: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

function configOf(variables: Readonly<Record<string, string>> = {}): Config {
  const { config, errors } = resolveConfig({
    env: { PGRST_DB_URI: 'postgresql://', PGRST_DB_SCHEMAS: 'api', ...variables },
  });
  if (!config) throw new Error(errors.join('\n'));
  return config;
}

/** A source on a new database, with a way to wait for what it reports. */
async function sourceOn(script: string, config: Config) {
  const database: TestDatabase = await createDatabase('source', script);
  cleanups.push(() => database.drop());
  const events: SourceEvent[] = [];
  const waiting = new Set<{ readonly wanted: (event: SourceEvent) => boolean; readonly resolve: () => void }>();
  const rereads: boolean[] = [];
  let current = config;
  const application = uniqueName('source');
  const source = new SnapshotSource({
    connection: { ...parseConnectionString(database.uri, {}), applicationName: application },
    config: (_, reread) => {
      rereads.push(reread);
      return current;
    },
    observe: (event) => {
      events.push(event);
      for (const waiter of waiting) if (waiter.wanted(event)) waiter.resolve();
    },
  });
  cleanups.push(() => source.close());
  return {
    database,
    source,
    events,
    rereads,
    next: (wanted: (event: SourceEvent) => boolean): Promise<void> =>
      new Promise((resolve) => {
        const waiter = {
          wanted,
          resolve: () => {
            waiting.delete(waiter);
            resolve();
          },
        };
        waiting.add(waiter);
      }),
    configure: (changed: Config) => {
      current = changed;
    },
    connections: async (): Promise<readonly number[]> => {
      const rows = await database.sql`select pid from pg_stat_activity where application_name = ${application}`;
      return rows.map((row) => row.pid);
    },
    tables: () => source.current()?.snapshot.tables.map((t) => t.name),
  };
}

test('a table made a moment ago is found once its notification was sent', async () => {
  const { database, source, tables } = await sourceOn('create schema api; create table api.one (id int)', configOf());
  expect(source.current()).toBeNull();
  expect(await source.start(configOf())).toBe(true);
  expect(tables()).toEqual(['one']);
  await database.sql`create table api.two (id int)`;
  await database.sql`notify pgrst, 'reload schema'`;
  const fresh = await source.fresh();
  expect(fresh?.snapshot.tables.map((t) => t.name)).toEqual(['one', 'two']);
  await database.sql`create table api.three (id int)`;
  await database.sql`notify pgrst`;
  await source.fresh();
  expect(tables()).toEqual(['one', 'three', 'two']);
});

test('a reload that finds nothing new has the same content, of a later time', async () => {
  const { database, source } = await sourceOn('create schema api', configOf());
  await source.start(configOf());
  const version = (): string => source.current()?.snapshot.version ?? '';
  const before = version();
  expect(await source.reload()).toBe(true);
  expect(contentOf(version())).toBe(contentOf(before));
  expect(timeOf(version())).toBeGreaterThan(timeOf(before));
  await database.sql`create table api.one (id int)`;
  expect(await source.reload()).toBe(true);
  expect(contentOf(version())).not.toBe(contentOf(before));
});

test('other payloads and other channels say nothing', async () => {
  const { database, source, events } = await sourceOn('create schema api', configOf());
  await source.start(configOf());
  await database.sql`notify pgrst, 'hello'`;
  await database.sql`notify other, 'reload schema'`;
  await source.fresh();
  expect(events.map((e) => e.kind)).toEqual(['listening', 'queried', 'loaded']);
});

test('a lost connection comes back, and what was missed is loaded', async () => {
  const { database, source, events, next, connections, tables } = await sourceOn('create schema api', configOf());
  await source.start(configOf());
  const pids = await connections();
  expect(pids).toHaveLength(1);
  const lost = next((e) => e.kind === 'lost' && !source.listening);
  const reloaded = next((e) => e.kind === 'loaded');
  await database.sql`create table api.missed (id int)`;
  await database.sql`select pg_terminate_backend(${pids[0] ?? 0}::int)`;
  await lost;
  await reloaded;
  expect(tables()).toEqual(['missed']);
  expect(source.listening).toBe(true);
  expect(events.map((e) => e.kind)).toEqual([
    'listening',
    'queried',
    'loaded',
    'lost',
    'listening',
    'queried',
    'loaded',
  ]);
  expect(await connections()).toHaveLength(1);
});

test('a failed reload keeps the old snapshot; a schema that does not exist is named', async () => {
  const { database, source, events, tables } = await sourceOn(
    'create schema api; create table api.one (id int)',
    configOf(),
  );
  await source.start(configOf());
  await database.sql`alter schema api rename to gone`;
  expect(await source.reload()).toBe(false);
  expect(tables()).toEqual(['one']);
  expect(events.at(-1)).toMatchObject({
    kind: 'failed',
    error: { code: 'missing-schema', message: 'db-schemas names schemas that do not exist: "api"' },
  });
  await database.sql`alter schema gone rename to api`;
  expect(await source.reload()).toBe(true);
});

test('the channel follows the configuration, and may be switched off', async () => {
  const { database, source, next, configure, connections, tables } = await sourceOn('create schema api', configOf());
  await source.start(configOf());
  configure(configOf({ PGRST_DB_CHANNEL: 'Other "one"' }));
  await source.reload();
  const reloaded = next((e) => e.kind === 'loaded');
  await database.sql`create table api.one (id int)`;
  await database.sql`select pg_notify('Other "one"', 'reload config')`;
  await reloaded;
  expect(tables()).toEqual(['one']);
  configure(configOf({ PGRST_DB_CHANNEL_ENABLED: 'false' }));
  await source.reload();
  expect(await connections()).toEqual([]);
  expect(await source.fresh()).toBe(source.current());
});

test('two that load at different times have the same content, one another’s successor in time', async () => {
  const { database, source } = await sourceOn('create schema api; create table api.one (id int)', configOf());
  await source.start(configOf());
  const other = new SnapshotSource({
    connection: parseConnectionString(database.uri, {}),
    config: () => configOf(),
  });
  cleanups.push(() => other.close());
  await other.start(configOf());
  const versions = [source, other].map((each) => each.current()?.snapshot.version ?? '');
  expect(new Set(versions.map(contentOf)).size).toBe(1);
  expect(timeOf(versions[1] ?? '')).toBeGreaterThan(timeOf(versions[0] ?? ''));
});

test('new keys are a new version: whoever has the old one fetches both', async () => {
  const { source, configure } = await sourceOn('create schema api', configOf());
  const versionUnder = async (secret: string): Promise<string> => {
    configure(configOf({ PGRST_JWT_SECRET: secret }));
    await source.reload();
    return contentOf(source.current()?.snapshot.version ?? '');
  };
  await source.start(configOf());
  const first = await versionUnder('the first secret, which is long enough');
  expect(await versionUnder('the first secret, which is long enough')).toBe(first);
  expect(await versionUnder('another secret, which is long enough too')).not.toBe(first);
});

test('the configuration is read anew where it is what changed', async () => {
  const { database, source, rereads, next } = await sourceOn('create schema api', configOf());
  await source.start(configOf());
  await source.reload();
  await source.reload('config');
  for (const payload of ['reload schema', 'reload config', '']) {
    const reloaded = next((e) => e.kind === 'loaded');
    await database.sql`select pg_notify('pgrst', ${payload})`;
    await reloaded;
  }
  expect(rereads).toEqual([false, false, true, false, true, true]);
});

test('closed, it leaves no connection behind', async () => {
  const { source, connections } = await sourceOn('create schema api', configOf());
  await source.start(configOf());
  await source.close();
  expect(await connections()).toEqual([]);
});
