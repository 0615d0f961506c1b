/** What was made a moment ago is there: no error is answered from a schema cache that the database has moved on from. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { uniqueName } from '../postgres.ts';
import { type Answer, ask } from './client.ts';
import { createEdgeDatabase, type EdgeDatabase, poolerSecret } from './database.ts';
import { type Program, startProgram, startWorker } from './program.ts';
import { startRelay } from './relay.ts';

let database: EdgeDatabase;

beforeAll(async () => {
  database = await createEdgeDatabase();
});
afterAll(() => database.drop());

/** Changes the schema and says so, in one transaction. */
const change = (statements: string): Promise<unknown> =>
  database.sql.unsafe(`begin; ${statements}; notify pgrst, 'reload schema'; commit`).simple();

const codeOf = ({ status, text }: Answer): unknown => [status, Reflect.get(Object(JSON.parse(text)), 'code')];

describe.each([
  ['edge', 30],
  ['serve', 10],
] as const)('%s', (mode, tables) => {
  let program: Program;
  /** Begins the names of what a test makes: one that is tried again makes other things. */
  let attempt: string;

  beforeAll(async () => {
    program = await startProgram(mode, database.variables);
  });
  beforeEach(() => {
    attempt = uniqueName(mode);
  });
  afterAll(async () => {
    await program.stop();
  });

  const get = (target: string): Promise<Answer> => ask(program.url, { method: 'GET', target });
  const post = (target: string, body: unknown): Promise<Answer> =>
    ask(program.url, { method: 'POST', target, body: JSON.stringify(body) });

  /** Makes a change and waits until the pooler knows it. */
  const changeAndLoad = async (statements: string): Promise<void> => {
    const before = program.said().split('Schema cache loaded').length - 1;
    await change(statements);
    await program.says('Schema cache loaded', before + 1);
  };

  test('tables, each asked for as soon as it is there', async () => {
    for (let n = 0; n < tables; n++) {
      const table = `${attempt}_${n}`;
      await change(`create table api.${table} (id int primary key); insert into api.${table} values (${n})`);
      expect(await get(`/${table}`)).toMatchObject({ status: 200, text: `[{"id":${n}}]` });
    }
  });

  test('a table that comes right after a change that nobody has asked about', async () => {
    for (let n = 0; n < 5; n++) {
      await changeAndLoad(`create table api.${attempt}_unasked_${n} (id int)`);
      await change(`create table api.${attempt}_asked_${n} (id int)`);
      expect(await get(`/${attempt}_asked_${n}`)).toMatchObject({ status: 200, text: '[]' });
    }
  });

  test('many at once, each for a table of its own', async () => {
    const answers = Array.from({ length: 10 }, async (_, n) => {
      const table = `${attempt}_many_${n}`;
      await change(`create table api.${table} (id int primary key); insert into api.${table} values (${n})`);
      return await get(`/${table}`);
    });
    expect((await Promise.all(answers)).map(({ text }) => text)).toEqual(answers.map((_, n) => `[{"id":${n}}]`));
  });

  test('a column that was added, and one that was dropped', async () => {
    const table = `${attempt}_columns`;
    await change(`create table api.${table} (id int primary key, a int)`);
    expect((await post(`/${table}`, { id: 1, a: 1 })).status).toBe(201);
    await change(`alter table api.${table} add b int`);
    expect((await post(`/${table}`, { id: 2, a: 1, b: 2 })).status).toBe(201);
    expect((await get(`/${table}?select=id&b=eq.2`)).text).toBe('[{"id":2}]');
    await change(`alter table api.${table} drop a`);
    expect((await post(`/${table}`, { id: 3, a: 1 })).status).toBe(400);
    expect(codeOf(await get(`/${table}?select=a`))).toEqual([400, '42703']);
    expect(JSON.parse((await get(`/${table}?order=id`)).text)).toEqual([
      { id: 1, b: null },
      { id: 2, b: 2 },
    ]);
  });

  test('a column of another type, which the worker has heard nothing of', async () => {
    const table = `${attempt}_types`;
    await change(`create table api.${table} (id int primary key, a int)`);
    expect((await post(`/${table}`, { id: 1, a: 1 })).status).toBe(201);
    await changeAndLoad(`alter table api.${table} alter a type text`);
    expect((await post(`/${table}`, { id: 2, a: 'word' })).status).toBe(201);
  });

  test('a relationship, a function, a function with another argument', async () => {
    const table = `${attempt}_child`;
    await change(`create table api.${table} (id int primary key, item_id int)`);
    expect(codeOf(await get(`/${table}?select=id,item(name)`))).toEqual([400, 'PGRST200']);
    await change(`alter table api.${table} add foreign key (item_id) references api.item`);
    expect(await get(`/${table}?select=id,item(name)`)).toMatchObject({ status: 200, text: '[]' });

    const call = `/rpc/${attempt}_f`;
    expect(codeOf(await post(call, { a: 1 }))).toEqual([404, 'PGRST202']);
    await change(`create function api.${attempt}_f(a int) returns int language sql return a`);
    expect(await post(call, { a: 1 })).toMatchObject({ status: 200, text: '1' });
    await change(
      `drop function api.${attempt}_f; create function api.${attempt}_f(b int) returns int language sql return -b`,
    );
    expect(await post(call, { b: 1 })).toMatchObject({ status: 200, text: '-1' });
    expect(codeOf(await post(call, { a: 1 }))).toEqual([404, 'PGRST202']);
  });

  test('a table that was dropped is not there', async () => {
    const table = `${attempt}_dropped`;
    await change(`create table api.${table} (id int)`);
    expect((await get(`/${table}`)).status).toBe(200);
    await change(`drop table api.${table}`);
    expect((await get(`/${table}`)).status).toBe(404);
    await change(`create table api.${table} (other int)`);
    expect(await get(`/${table}?other=is.null`)).toMatchObject({ status: 200, text: '[]' });
  });
});

test('a flood of unknown names is ten questions in a second for the pooler, after the first ten', async () => {
  const pooler = await startProgram('pooler', { ...database.variables, EDGEREST_POOLER_SECRET: poolerSecret });
  const relay = await startRelay(pooler.url);
  const worker = await startWorker(relay.url, poolerSecret);
  const questions = (): number => relay.counts.get('GET /v1/snapshot') ?? 0;
  const target = (n: number): string => (n % 2 === 0 ? `/unknown_${n}` : `/rpc/unknown_${n}`);
  try {
    expect((await ask(worker.url, { method: 'GET', target: '/item?id=eq.1' })).status).toBe(200);
    expect(questions()).toBe(1);
    const begun = performance.now();
    for (let round = 0; round < 3; round++) {
      const flood = Array.from({ length: 200 }, (_, n) => ask(worker.url, { method: 'GET', target: target(n) }));
      for (const { status } of await Promise.all(flood)) expect(status).toBe(404);
    }
    // However long it took: ten at once, then at most one in a tenth of a second, and those at both ends.
    expect(questions()).toBeLessThanOrEqual(13 + (performance.now() - begun) / 100);
    expect(relay.counts.get('POST /v1/transaction')).toBe(1);
  } finally {
    await worker.stop();
    await relay.close();
    await pooler.stop();
  }
});
