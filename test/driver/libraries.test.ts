/** What people use over the driver's HTTP: drizzle, kysely and prisma's adapter, unmodified. */
import { neon, neonConfig } from '@neondatabase/serverless';
import { PrismaNeonHttp } from '@prisma/adapter-neon';
import { and, asc, count, eq, gt, sql as raw, relations } from 'drizzle-orm';
import { drizzle, type NeonHttpDatabase } from 'drizzle-orm/neon-http';
import { bigint, boolean, integer, jsonb, numeric, pgTable, serial, text, timestamp, uuid } from 'drizzle-orm/pg-core';
import { type Generated, Kysely, sql as kyselySql } from 'kysely';
import { NeonDialect } from 'kysely-neon';
import { beforeAll, describe, expect, test } from 'vitest';
import { door } from './door.ts';

const open = door('libraries', {
  script: `
    create table author (id serial primary key, name text not null unique);
    create table post (
      id serial primary key, author int not null references author, title text not null, tags text[] not null default '{}',
      meta jsonb, views bigint not null default 0, price numeric, published boolean not null default false,
      key uuid not null default gen_random_uuid(), at timestamptz not null default now()
    );
  `,
});

beforeAll(() => {
  neonConfig.fetchEndpoint = () => open.url;
});

const author = pgTable('author', { id: serial().primaryKey(), name: text().notNull() });
const post = pgTable('post', {
  id: serial().primaryKey(),
  author: integer().notNull(),
  title: text().notNull(),
  tags: text().array().notNull().default([]),
  meta: jsonb(),
  views: bigint({ mode: 'bigint' }).notNull().default(0n),
  price: numeric(),
  published: boolean().notNull().default(false),
  key: uuid().notNull().defaultRandom(),
  at: timestamp({ withTimezone: true }).notNull().defaultNow(),
});
const schema = {
  author,
  post,
  authorRelations: relations(author, ({ many }) => ({ posts: many(post) })),
  postRelations: relations(post, ({ one }) => ({
    by: one(author, { fields: [post.author], references: [author.id] }),
  })),
};

describe('drizzle-orm/neon-http', () => {
  let db: NeonHttpDatabase<typeof schema>;
  beforeAll(() => {
    db = drizzle({ client: neon(open.uri()), schema });
  });

  test('writes and reads rows of all kinds', async () => {
    const [anna] = await db.insert(author).values({ name: 'anna' }).returning();
    const at = new Date('2026-01-02T03:04:05.678Z');
    const values = {
      author: anna?.id ?? 0,
      title: 'It\'s "one"',
      tags: ['a', 'b,c', 'd"e'],
      meta: { deep: [1, null, 'x'] },
      views: 9007199254740993n,
      price: '12.50',
      published: true,
      at,
    };
    const [made] = await db.insert(post).values(values).returning();
    expect(made).toMatchObject(values);
    expect(
      await db
        .select()
        .from(post)
        .where(eq(post.id, made?.id ?? 0)),
    ).toEqual([made]);
    const updated = await db
      .update(post)
      .set({ views: 1n })
      .where(and(eq(post.author, anna?.id ?? 0), gt(post.views, 5n)));
    expect(updated.rowCount).toBe(1);
    expect(await db.delete(post).returning({ title: post.title })).toEqual([{ title: values.title }]);
  });

  test('joins, relational queries and raw SQL', async () => {
    const [bert] = await db.insert(author).values({ name: 'bert' }).returning();
    await db.insert(post).values([1, 2].map((n) => ({ author: bert?.id ?? 0, title: `post ${n}` })));
    const joined = await db
      .select({ name: author.name, title: post.title })
      .from(post)
      .innerJoin(author, eq(author.id, post.author))
      .orderBy(asc(post.id));
    expect(joined).toEqual([
      { name: 'bert', title: 'post 1' },
      { name: 'bert', title: 'post 2' },
    ]);
    const found = await db.query.author.findFirst({
      where: eq(author.name, 'bert'),
      with: { posts: { columns: { title: true }, orderBy: asc(post.id) } },
    });
    expect(found?.posts).toEqual([{ title: 'post 1' }, { title: 'post 2' }]);
    const counted = await db.execute(raw`select count(*)::int as n from ${post} where title like ${'post%'}`);
    expect(counted.rows).toEqual([{ n: 2 }]);
    expect(await db.$count(post)).toBe(2);
  });

  test('a batch is one transaction', async () => {
    const [made, counts] = await db.batch([
      db.insert(author).values({ name: 'carl' }).returning({ name: author.name }),
      db.select({ n: count() }).from(author).where(eq(author.name, 'carl')),
    ]);
    expect([made, counts]).toEqual([[{ name: 'carl' }], [{ n: 1 }]]);
    const failing = db.batch([db.insert(author).values({ name: 'dora' }), db.insert(author).values({ name: 'carl' })]);
    await expect(failing).rejects.toMatchObject({ code: '23505' });
    expect(await db.select().from(author).where(eq(author.name, 'dora'))).toEqual([]);
  });

  test('errors keep their code', async () => {
    const failing = db.insert(post).values({ author: -1, title: 'x' });
    await expect(failing).rejects.toMatchObject({ cause: { code: '23503', constraint: 'post_author_fkey' } });
  });

  test('a prepared query is a query', async () => {
    const prepared = db
      .select({ name: author.name })
      .from(author)
      .where(eq(author.name, raw.placeholder('name')))
      .prepare('by_name');
    for (const name of ['bert', 'carl']) expect(await prepared.execute({ name })).toEqual([{ name }]);
  });
});

interface Tables {
  author: { id: Generated<number>; name: string };
  post: { id: Generated<number>; author: number; title: string; tags: Generated<string[]> };
}

describe('kysely-neon', () => {
  let db: Kysely<Tables>;
  beforeAll(() => {
    db = new Kysely<Tables>({ dialect: new NeonDialect({ neon: neon(open.uri()) }) });
  });

  test('writes, reads and counts', async () => {
    const made = await db.insertInto('author').values({ name: 'emil' }).returningAll().executeTakeFirstOrThrow();
    expect(made.name).toBe('emil');
    const posts = [1, 2, 3].map((n) => ({ author: made.id, title: `${n}`, tags: ['x', 'y'] }));
    const inserted = await db.insertInto('post').values(posts).executeTakeFirst();
    expect(inserted.numInsertedOrUpdatedRows).toBe(3n);
    const mine = db.selectFrom('post').where('author', '=', made.id);
    expect(await mine.select(['title', 'tags']).orderBy('title').limit(1).execute()).toEqual([
      { title: '1', tags: ['x', 'y'] },
    ]);
    const updated = await db.updateTable('post').set({ title: 'new' }).where('author', '=', made.id).executeTakeFirst();
    expect(updated.numUpdatedRows).toBe(3n);
    const deleted = await db.deleteFrom('post').where('author', '=', made.id).executeTakeFirst();
    expect(deleted.numDeletedRows).toBe(3n);
    const { rows } = await kyselySql<{
      n: number;
    }>`select count(*)::int as n from post where author = ${made.id}`.execute(db);
    expect(rows).toEqual([{ n: 0 }]);
  });

  test('looks at the tables', async () => {
    const tables = await db.introspection.getTables();
    expect(tables.map(({ name }) => name)).toEqual(['author', 'post']);
  });

  test('errors keep their code', async () => {
    await expect(db.insertInto('author').values({ name: 'emil' }).execute()).rejects.toMatchObject({ code: '23505' });
  });
});

describe('@prisma/adapter-neon over HTTP', () => {
  const adapter = () => new PrismaNeonHttp(open.uri(), {}).connect();
  const argument = (scalarType: 'int' | 'string' | 'bytes', dbType?: string) => ({
    scalarType,
    arity: 'scalar' as const,
    ...(dbType !== undefined && { dbType }),
  });

  test('rows, with the types of their columns', async () => {
    const db = await adapter();
    const result = await db.queryRaw({
      sql: `select $1::int as n, $2::text as t, $3::bytea as b, null as nothing, 9007199254740993::int8 as big, array[1, 2] as list,
              '2026-01-02'::date as day, '{"a": 1}'::jsonb as json`,
      args: [7, 'x', 'AP8='],
      argTypes: [argument('int'), argument('string'), argument('bytes', 'BYTEA')],
    });
    expect(result.columnNames).toEqual(['n', 't', 'b', 'nothing', 'big', 'list', 'day', 'json']);
    expect(result.columnTypes).toHaveLength(8);
    expect(result.rows).toEqual([
      [7, 'x', expect.anything(), null, '9007199254740993', expect.anything(), '2026-01-02', expect.anything()],
    ]);
  });

  test('writes give their count', async () => {
    const db = await adapter();
    const sql = 'insert into author (name) values ($1), ($2)';
    const args = ['fred', 'gina'];
    expect(await db.executeRaw({ sql, args, argTypes: [argument('string'), argument('string')] })).toBe(2);
  });

  test('errors have code, message and severity', async () => {
    const db = await adapter();
    const sql = 'insert into post (author, title) values (-1, $1)';
    await expect(db.executeRaw({ sql, args: ['x'], argTypes: [argument('string')] })).rejects.toMatchObject({
      code: '23503',
      message: expect.stringContaining('foreign key'),
      severity: 'ERROR',
    });
  });
});

test('nothing of all this was a mistake of ours', () => {
  expect(open.faults).toEqual([]);
});
