/** Whoever has the hop's secret and a token of their own can ask for what the API gives them, and for nothing else. */
import { SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Pooler } from '../../pooler/start.ts';
import type { Statement, TransactionOutcome, TransactionRequest } from '../../shared/hop/types.ts';
import type { Snapshot } from '../../shared/snapshot/types.ts';
import { HttpHop } from '../../worker/hop/http.ts';
import { type Program, startProgram } from '../edge/program.ts';
import { bodyOf, messageOf } from '../message.ts';
import { changes, others, takesRole } from './attacks.ts';
import {
  createSecretDatabase,
  jwtSecret,
  poolerSecret,
  type SecretDatabase,
  startUnchecked,
  TREASURE,
} from './database.ts';
import { requests } from './requests.ts';

let database: SecretDatabase;
let program: Program;
let hop: HttpHop;
let snapshot: Snapshot;
let token: string;
/** The same transactions where nobody looks at the statements, as the attacks would have it. */
let unchecked: Pooler;

beforeAll(async () => {
  database = await createSecretDatabase();
  program = await startProgram('pooler', database.variables);
  hop = new HttpHop({ url: program.url, secret: poolerSecret });
  const fetched = await hop.fetchSnapshot([], null);
  if (fetched.kind !== 'new') throw new Error(fetched.kind);
  snapshot = fetched.snapshot;
  token = await new SignJWT({ role: database.alice })
    .setProtectedHeader({ alg: 'HS256' })
    .sign(new TextEncoder().encode(jwtSecret));
  unchecked = await startUnchecked(database);
});
afterAll(async () => {
  await Promise.all([program?.stop(), unchecked?.close(0)]);
  await database?.drop();
});

/** A message of the worker's. */
const message = (target = '/note'): TransactionRequest => messageOf(snapshot, { target, token, role: database.alice });

const statement = (text: string, parameters: Statement['parameters'] = []): Statement => ({
  text,
  parameters,
  result: { kind: 'row', body: null },
});

const send = (request: TransactionRequest): Promise<TransactionOutcome> => hop.transaction(request, null, null);

const refused = (reason: string) => ({ ok: false, failure: { kind: 'refused', reason, status: 403 } });

/** The body is the last column. */
const shown = (request: TransactionRequest): TransactionRequest => ({
  ...request,
  statements: request.statements.map((s) => ({ ...s, result: { kind: 'row', body: 7 } })),
});

const steal = statement('select word, current_user from api.treasure');

/** Whether the statement, run where nobody looks at it, leaves the next one with the treasure. */
async function succeeds(text: string): Promise<boolean> {
  const request = { ...message(), access: 'read write', end: 'rollback' } as const;
  const outcome = await unchecked.hop.transaction({ ...request, statements: [statement(text), steal] }, null, null);
  return outcome.ok && outcome.statements[1]?.columns[0] === TREASURE;
}

test('no key to sign with', async () => {
  const keys = await hop.fetchKeys(null);
  expect(keys).toMatchObject({ kind: 'keys', keys: { keys: [] } });
  expect(JSON.stringify([keys, snapshot])).not.toContain(Buffer.from(jwtSecret).toString('base64url'));
});

test('statements that take another role', async () => {
  for (const text of takesRole(database.boss)) {
    expect(await succeeds(text), text).toBe(true);
    const request = { ...message(), access: 'read write' } as const;
    expect(await send({ ...request, statements: [statement(text)] }), text).toMatchObject(refused('statement'));
    expect(await send({ ...request, statements: [statement(text), steal] }), text).toMatchObject(refused('statement'));
  }
});

test('statements that are none of the API’s', async () => {
  for (const text of others) {
    const request = { ...message(), access: 'read write' } as const;
    expect(await send({ ...request, statements: [statement(text)] }), text).toMatchObject(refused('statement'));
  }
});

test('statements of the worker with something changed', async () => {
  const all = requests.map((asked) => messageOf(snapshot, { ...asked, token, role: database.alice }));
  let used = 0;
  for (const [from, to] of changes(database.boss)) {
    let fits = false;
    for (const request of all) {
      for (const [i, { text }] of request.statements.entries()) {
        const changed = text.replace(from, () => to);
        if (changed === text) continue;
        fits = true;
        used++;
        const statements = request.statements.map((s, j) => (i === j ? { ...s, text: changed } : s));
        expect(await send({ ...request, statements }), changed).toMatchObject(refused('statement'));
      }
    }
    expect(fits, `${from} is in no statement`).toBe(true);
  }
  expect(used).toBeGreaterThan(500);
});

test('what the API gives is given, as the token’s role', async () => {
  for (const asked of requests) {
    const request = messageOf(snapshot, { ...asked, token, role: database.boss });
    const payload = asked.body === undefined ? null : new TextEncoder().encode(asked.body);
    const outcome = await hop.transaction({ ...request, end: 'rollback' }, payload, null);
    const geo = JSON.stringify(asked.headers ?? '').includes('geo+json');
    // There is no PostGIS.
    expect(outcome, JSON.stringify(asked)).toMatchObject(geo ? { failure: { code: '42883' } } : { ok: true });
    if (asked.target === '/rpc/who') expect(await bodyOf(outcome)).toBe(JSON.stringify(database.alice));
  }
  expect(await send(message('/treasure'))).toMatchObject({ ok: false, failure: { kind: 'database', code: '42501' } });
});

test('a function’s only column is no value that other functions take', async () => {
  const { boss } = database;
  const query =
    `select to_tsvector('simple', set_config('role', '${boss}', true) || ' ' || ` +
    `query_to_xml('select word from api.treasure', true, false, '')::text)`;
  const call = `("q" := $1::text)`;
  const [{ text: scalar }] = message('/rpc/echo?q=x').statements as [Statement];
  for (const name of ['echo_out', 'echo_table']) {
    const request = message(`/rpc/${name}?q=${encodeURIComponent(query)}&select=ts_stat`);
    expect(await send(request)).toMatchObject({ ok: false, failure: { code: '42703' } });
    const [{ text, parameters }] = request.statements as [Statement];
    const bare = text.replace(`(SELECT * FROM "api"."${name}"${call})`, `"api"."${name}"${call}`);
    expect(bare).not.toBe(text);
    const attack = { ...request, statements: [statement(bare, parameters)] };
    expect(await bodyOf(await unchecked.hop.transaction(shown(attack), null, null))).toContain(TREASURE);
    expect(await send(attack)).toMatchObject(refused('statement'));
    const other = scalar
      .replace('pgrst_call.pgrst_scalar', 'pgrst_call."ts_stat"')
      .replace(/\(SELECT ("api".*?\)) pgrst_scalar\)/, '$1');
    for (const changed of [other, other.replace('"api"."echo"', `"api"."${name}"`)]) {
      expect(await send({ ...request, statements: [statement(changed, parameters)] })).toMatchObject(
        refused('statement'),
      );
    }
  }
});

describe('the rest of a message', () => {
  const call = (): TransactionRequest =>
    messageOf(snapshot, { method: 'POST', target: '/rpc/strict_add', body: '{"a":1}', token, role: database.alice });

  test('settings are the called function’s own', async () => {
    const { boss } = database;
    expect(call().settings).toEqual([['statement_timeout', '5s']]);
    const outcome = await hop.transaction(call(), new TextEncoder().encode('{"a":1}'), null);
    expect(outcome).toMatchObject({ ok: true });
    for (const settings of [
      [['role', boss]],
      [['search_path', 'hidden']],
      [['session_authorization', boss]],
      [['statement_timeout', '6s']],
      [
        ['statement_timeout', '5s'],
        ['role', boss],
      ],
      [
        ['statement_timeout', '5s'],
        ['statement_timeout', '5s'],
      ],
    ] as const) {
      expect(await send({ ...call(), settings })).toMatchObject(refused('setting'));
      expect(await send({ ...message(), settings })).toMatchObject(refused('setting'));
    }
    expect(await send({ ...message(), settings: call().settings })).toMatchObject(refused('setting'));
    expect(await send({ ...call(), settings: [] })).toMatchObject(refused('setting'));
    expect(await send({ ...message(), isolation: 'serializable' })).toMatchObject(refused('setting'));
    expect(await send({ ...message(), path: '/', statements: [], settings: [['role', boss]] })).toMatchObject(
      refused('setting'),
    );
  });

  test.each(['hidden', 'pg_temp', 'pg_catalog', '', 'api, hidden', 'API'])('the schema %j', async (schema) => {
    expect(await send({ ...message(), schema })).toMatchObject(refused('schema'));
    expect(await send({ ...message(), schema, statements: [], document: true })).toMatchObject(refused('schema'));
  });

  test('lists of statements that no request makes', async () => {
    const [main] = message().statements;
    const patch = messageOf(snapshot, {
      method: 'PATCH',
      target: '/note?id=eq.1',
      body: '{"body":"y"}',
      headers: [['prefer', 'handling=strict, max-affected=1']],
    });
    const planned = messageOf(snapshot, { target: '/note', headers: [['prefer', 'count=planned']] });
    const [write, guard] = patch.statements;
    const [, estimate] = planned.statements;
    if (!main || !write || !guard || !estimate) throw new Error('statements are missing');
    const lists = [
      [guard],
      [estimate],
      [main, main],
      [main, write],
      [main, guard],
      [write, estimate],
      [write, guard, guard],
      [main, estimate, main],
      [...Array<Statement>(64)].map(() => main),
    ];
    for (const statements of lists) {
      const request = { ...message(), access: 'read write' } as const;
      expect(await send({ ...request, statements })).toMatchObject(refused('statement'));
    }
  });

  test('the document is the schema’s, whatever statements there are', async () => {
    const request = { ...message(), path: '/', document: true, statements: [statement('select 1')] } as const;
    expect(await send(request)).toMatchObject(refused('statement'));
    expect(await bodyOf(await send({ ...request, statements: [] }))).toContain('"swagger"');
  });
});

test('texts of four megabytes are read once, from left to right', async () => {
  const long = (piece: string): string =>
    piece.repeat(Math.floor(3_500_000 / JSON.stringify(piece).slice(1, -1).length));
  const [{ text }] = message('/note?id=eq.1').statements as [Statement];
  const texts = [
    long('('),
    text.replace(' WHERE ', () => ` WHERE ${long('(')}`),
    text.replace(' WHERE ', () => ` WHERE ${long('NOT (')}`),
    text.replace('"note".*', () => long('"a".')),
    text.replace('"note".*', () => `CAST( "a" AS ${long('a ')}`),
    text.replace('"note".*', () => `"${long('a')}"(`),
    text.replace('"note".*', () => `"x${long('""')}`),
    text.replace(
      ' FROM "api"."note"',
      () => ` FROM "api"."note"${long(' LEFT JOIN LATERAL ( SELECT  FROM "api"."note"')}`,
    ),
    `WITH pgrst_source AS (SELECT * FROM "api"."add"("a" := $1::${long('a')}`,
    `WITH pgrst_source AS (SELECT * FROM "api"."add"("a" := $1::${long('"')}`,
  ];
  for (const attack of texts) {
    const outcome = await send({ ...message(), statements: [statement(attack)] });
    expect(outcome).toMatchObject(refused('statement'));
  }
  expect(await bodyOf(await send(message('/rpc/who')))).toBe(JSON.stringify(database.alice));
});

test('a message that was planned on another schema cache is told so', async () => {
  const write = messageOf(snapshot, { method: 'POST', target: '/paint', body: '{"id":9,"price":1}', token });
  const payload = new TextEncoder().encode('{"id":9,"price":1}');
  await database.sql.unsafe(`alter table api.paint alter price type numeric; notify pgrst, 'reload schema'`).simple();
  await program.says('Schema cache loaded', 2);
  const outcome = await hop.transaction(write, payload, null);
  expect(outcome).toMatchObject({ ok: false, failure: { kind: 'refused', reason: 'snapshot', status: 409 } });
  expect(outcome.snapshot).not.toBe(snapshot.version);
  // What has not changed is as good as it was.
  expect(await bodyOf(await send(message('/rpc/who')))).toBe(JSON.stringify(database.alice));
  const fetched = await hop.fetchSnapshot([], null);
  if (fetched.kind !== 'new') throw new Error(fetched.kind);
  const again = messageOf(fetched.snapshot, { method: 'POST', target: '/paint', body: '{"id":9,"price":1}', token });
  expect(await hop.transaction({ ...again, end: 'rollback' }, payload, null)).toMatchObject({ ok: true });
});
