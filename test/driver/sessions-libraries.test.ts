/** What people use over the driver's WebSockets: drizzle, kysely and prisma's adapter, unmodified; and the driver in workerd. */
import { fileURLToPath } from 'node:url';
import { PrismaNeon } from '@prisma/adapter-neon';
import { eq, sql as raw } from 'drizzle-orm';
import { drizzle, type NeonDatabase } from 'drizzle-orm/neon-serverless';
import { integer, jsonb, pgTable, serial, text } from 'drizzle-orm/pg-core';
import { build } from 'esbuild';
import { type Generated, Kysely, sql as kyselySql, PostgresDialect } from 'kysely';
import { Miniflare } from 'miniflare';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Door, openDoor, pointDriver } from '../../pooler/driver/session/door.fixture.ts';

let door: Door;
beforeAll(async () => {
  door = await openDoor({
    size: 3,
    script: `create table app.author (id serial primary key, name text not null unique, meta jsonb);
      create table app.post (id serial primary key, author int not null references app.author, title text not null);
      alter table app.author owner to USER; alter table app.post owner to USER;`,
  });
  pointDriver(door.port);
});
afterAll(async () => {
  expect(door.faults).toEqual([]);
  await door.quiet();
  await door.close();
});

const author = pgTable('author', { id: serial().primaryKey(), name: text().notNull(), meta: jsonb() });
const post = pgTable('post', { id: serial().primaryKey(), author: integer().notNull(), title: text().notNull() });

describe('drizzle-orm/neon-serverless', () => {
  let pool: ReturnType<Door['clients']>;
  let db: NeonDatabase;
  beforeAll(() => {
    pool = door.clients(8);
    db = drizzle({ client: pool });
  });
  afterAll(() => pool.end());

  test('writes, reads, joins', async () => {
    const meta = { deep: [1, null, 'x'] };
    const [anna] = await db.insert(author).values({ name: 'anna', meta }).returning();
    expect(anna).toMatchObject({ name: 'anna', meta });
    await db.insert(post).values([1, 2].map((n) => ({ author: anna?.id ?? 0, title: `post ${n}` })));
    const rows = await db.select().from(post).innerJoin(author, eq(author.id, post.author)).orderBy(post.id);
    expect(rows.map((row) => [row.author.name, row.post.title])).toEqual([
      ['anna', 'post 1'],
      ['anna', 'post 2'],
    ]);
  });

  test('transactions that go on, are nested, and fail', async () => {
    const names = await db.transaction(
      async (outer) => {
        await outer.insert(author).values({ name: 'bert' });
        await outer
          .transaction(async (inner) => {
            await inner.insert(author).values({ name: 'carl' });
            throw new Error('given up');
          })
          .catch(() => undefined);
        return await outer.select({ name: author.name }).from(author).orderBy(author.name);
      },
      { isolationLevel: 'repeatable read' },
    );
    expect(names.map(({ name }) => name)).toEqual(['anna', 'bert']);
    const failing = db.transaction(async (outer) => {
      await outer.insert(author).values({ name: 'dora' });
      await outer.insert(author).values({ name: 'anna' });
    });
    await expect(failing).rejects.toMatchObject({ cause: { code: '23505' } });
    expect(await db.select().from(author).where(eq(author.name, 'dora'))).toEqual([]);
  });

  test('prepared queries, by many at once', async () => {
    const prepared = db
      .select({ name: author.name, n: raw<number>`${raw.placeholder('n')}::int` })
      .from(author)
      .where(eq(author.name, raw.placeholder('name')))
      .prepare('by_name');
    const asked = Array.from({ length: 60 }, (_, n) => prepared.execute({ name: n % 2 === 0 ? 'anna' : 'bert', n }));
    expect((await Promise.all(asked)).flat()).toEqual(
      asked.map((_, n) => ({ name: n % 2 === 0 ? 'anna' : 'bert', n })),
    );
  });

  test('settings of row-level security, for a transaction', async () => {
    const seen = await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        db.transaction(async (inner) => {
          await inner.execute(raw`select set_config('app.user', ${String(i)}, true)`);
          return await inner.execute<{ me: string }>(raw`select current_setting('app.user') as me`);
        }),
      ),
    );
    expect(seen.map(({ rows }) => rows[0]?.me)).toEqual(seen.map((_, i) => String(i)));
  });
});

interface Tables {
  author: { id: Generated<number>; name: string };
}

describe("kysely's PostgresDialect on the driver's pool", () => {
  let db: Kysely<Tables>;
  beforeAll(() => {
    const pool = door.clients(4);
    // The pool itself would do, but kysely declares more of it than the driver does.
    const declared = { options: {}, connect: () => pool.connect(), end: () => pool.end() };
    db = new Kysely<Tables>({ dialect: new PostgresDialect({ pool: declared }) });
  });
  afterAll(() => db.destroy());

  test('writes, reads, transactions, introspection', async () => {
    await db.transaction().execute(async (inner) => {
      await inner.insertInto('author').values({ name: 'emil' }).execute();
      expect(await inner.selectFrom('author').select('name').where('name', '=', 'emil').execute()).toHaveLength(1);
    });
    const failing = db.transaction().execute(async (inner) => {
      await inner.insertInto('author').values({ name: 'fred' }).execute();
      await inner.insertInto('author').values({ name: 'emil' }).execute();
    });
    await expect(failing).rejects.toMatchObject({ code: '23505' });
    const deleted = await db.deleteFrom('author').where('name', 'in', ['emil', 'fred']).executeTakeFirst();
    expect(deleted.numDeletedRows).toBe(1n);
    expect((await db.introspection.getTables()).map(({ name }) => name)).toContain('author');
    expect((await kyselySql<{ one: number }>`select 1 as one`.execute(db)).rows).toEqual([{ one: 1 }]);
  });
});

describe('@prisma/adapter-neon', () => {
  const argument = { scalarType: 'string', arity: 'scalar' } as const;

  test('queries, transactions, errors', async () => {
    const db = await new PrismaNeon({ connectionString: door.uri }).connect();
    const inner = await db.startTransaction('SERIALIZABLE');
    const write = { sql: 'insert into author (name) values ($1)', args: ['gina'], argTypes: [argument] };
    expect(await inner.executeRaw(write)).toBe(1);
    await inner.commit();
    const read = await db.queryRaw({
      sql: 'select name from author where name = $1',
      args: ['gina'],
      argTypes: [argument],
    });
    expect([read.columnNames, read.rows]).toEqual([['name'], [['gina']]]);
    const again = await db.startTransaction();
    await expect(again.executeRaw(write)).rejects.toMatchObject({
      cause: { originalCode: '23505', kind: 'UniqueConstraintViolation' },
    });
    await again.rollback();
    await db.dispose();
  });
});

test('the driver in workerd', async () => {
  const application = `
    import { Client, neonConfig, Pool } from '@neondatabase/serverless';
    neonConfig.wsProxy = () => PROXY;
    neonConfig.useSecureWebSocket = false;
    neonConfig.disableWarningInBrowsers = true;
    export default {
      async fetch(request, env, context) {
        const pool = new Pool({ connectionString: DATABASE });
        const client = await pool.connect();
        try {
          await client.query('begin');
          const { rows } = await client.query('select $1::int + 1 as n, repeat($2, 100000) as long', [new URL(request.url).searchParams.get('n'), 'x']);
          const failed = await client.query('select 1 / 0').catch(({ code }) => code);
          await client.query('rollback');
          return Response.json({ n: rows[0].n, length: rows[0].long.length, failed });
        } finally {
          client.release();
          context.waitUntil(pool.end());
        }
      },
    };`;
  const { outputFiles } = await build({
    stdin: { contents: application, resolveDir: fileURLToPath(new URL('.', import.meta.url)) },
    define: { PROXY: JSON.stringify(`127.0.0.1:${door.port}/v2`), DATABASE: JSON.stringify(door.uri) },
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'browser',
    conditions: ['workerd', 'worker', 'browser'],
  });
  const workers = new Miniflare({
    modules: true,
    script: outputFiles[0]?.text ?? '',
    compatibilityDate: '2026-07-30',
  });
  try {
    const answers = await Promise.all(
      Array.from({ length: 30 }, async (_, n) =>
        (await workers.dispatchFetch(`http://app.example.com/?n=${n}`)).json(),
      ),
    );
    expect(answers).toEqual(answers.map((_, n) => ({ n: n + 1, length: 100_000, failed: '22012' })));
  } finally {
    await workers.dispose();
  }
});
