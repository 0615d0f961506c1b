/** Whoever has the hop's secret and a token of their own can ask for what the API gives them, and for nothing else. */
import { SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Pooler } from '../../pooler/start.ts';
import { MessageCheck } from '../../pooler/statements/check.ts';
import { KnownStatements } from '../../pooler/statements/known.ts';
import type { Statement, TransactionOutcome, TransactionRequest } from '../../shared/hop/types.ts';
import type { Snapshot } from '../../shared/snapshot/types.ts';
import { HttpHop } from '../../worker/hop/http.ts';
import { type Program, startProgram } from '../edge/program.ts';
import { type Asked, bodyOf, messageOf } from '../message.ts';
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

const checkOf = (under: Snapshot): MessageCheck => new MessageCheck(new KnownStatements(under));

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

  test('method, path, schema and access are those of a request for the statement', async () => {
    const of = (asked: Asked): TransactionRequest => messageOf(snapshot, { token, ...asked });
    const body = '{"id":60,"body":"x"}';
    const read = of({ target: '/note?id=eq.1' });
    const insert = of({ method: 'POST', target: '/note', body });
    const update = of({ method: 'PATCH', target: '/note?id=eq.1', body: '{}' });
    const remove = of({ method: 'DELETE', target: '/note?id=eq.1' });
    const stable = of({ method: 'POST', target: '/rpc/who' });
    const empty = { ...read, path: '/', statements: [] };
    const wrong: readonly TransactionRequest[] = [
      ...['POST', 'PATCH', 'DELETE', 'OPTIONS', 'get', ''].map((method) => ({ ...read, method })),
      ...['GET', 'PATCH', 'DELETE'].map((method) => ({ ...insert, method })),
      ...['GET', 'POST', 'PUT'].map((method) => ({ ...update, method })),
      ...['GET', 'HEAD', 'POST'].map((method) => ({ ...remove, method })),
      ...['PUT', 'PATCH', 'DELETE'].map((method) => ({ ...call(), method })),
      ...['/', '', '/comment', '/NOTE', '/note/', '//note', '/rpc/note', '/note%2F', '/%6eote%00'].map((path) => ({
        ...read,
        path,
      })),
      ...['/strict_add', '/rpc/who', '/rpc/', '/', 'rpc', '/rpc/strict_add/', '/RPC/strict_add'].map((path) => ({
        ...call(),
        path,
      })),
      { ...read, access: 'read write' },
      { ...insert, access: 'read only' },
      { ...remove, access: 'read only' },
      { ...stable, access: 'read write' },
      { ...call(), method: 'GET' },
      { ...empty, method: 'POST' },
      { ...empty, path: '/note' },
      { ...empty, access: 'read write' },
      { ...read, document: true },
    ];
    for (const request of wrong) expect(await send(request), JSON.stringify(request)).toMatchObject(refused('request'));
    const taken = [
      { ...read, method: 'HEAD' },
      ...['note', '/%6eote', '/%6Eot%65'].map((path) => ({ ...read, path })),
      { ...stable, path: '/%72pc/%77ho' },
      { ...empty, path: '' },
    ];
    for (const request of taken) expect(await send(request), request.path).toMatchObject({ ok: true });
  });

  test('a statement of another schema than the request’s', () => {
    const settings = { ...snapshot.settings, dbSchemas: ['api', 'other'] };
    const check = checkOf({ ...snapshot, settings });
    expect(check.refusal(message())).toBeNull();
    for (const request of [message(), call()]) {
      expect(check.refusal({ ...request, schema: 'other' })).toMatchObject({ reason: 'request' });
    }
  });

  test('the root is the document’s, or its function’s', () => {
    const rooted = { ...snapshot, settings: { ...snapshot.settings, dbRootSpec: { schema: 'api', name: 'who' } } };
    const check = checkOf(rooted);
    const document = { ...message(), path: '/', statements: [], document: true } as const;
    expect(checkOf(snapshot).refusal(document)).toBeNull();
    expect(check.refusal(document)).toMatchObject({ reason: 'request' });
    expect(check.refusal(messageOf(rooted, { target: '/' }))).toBeNull();
    expect(check.refusal({ ...message('/rpc/echo?q=x'), path: '/' })).toMatchObject({ reason: 'request' });
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

describe('db-max-rows', () => {
  const asked: readonly (readonly [Asked, relations: number])[] = [
    [{ target: '/note' }, 1],
    [{ target: '/note?limit=1&offset=1', headers: [['prefer', 'count=estimated']] }, 1],
    [{ target: '/note?select=id,comment(id),...paint(price)&comment.limit=2' }, 3],
    [{ target: '/comment?select=id,note(id,reader(*))' }, 3],
    [{ target: '/rpc/echo_table?q=x' }, 1],
    [{ method: 'POST', target: '/rpc/add', body: '{"a":1,"b":2}' }, 1],
  ];

  test.each(asked)('is the bound of every relation of %j', (one, relations) => {
    const bounded = { ...snapshot, settings: { ...snapshot.settings, dbMaxRows: 2 } };
    const check = checkOf(bounded);
    const request = messageOf(bounded, one);
    expect(check.refusal(request)).toBeNull();
    const [main, ...more] = request.statements as [Statement];
    const limits = [...main.text.matchAll(/ LIMIT \$(\d+) OFFSET \$\d+/g)];
    expect(limits.length).toBe(relations);
    const changed = (text: string, parameters = main.parameters) =>
      check.refusal({ ...request, statements: [{ ...main, text, parameters }, ...more] });
    for (const { 0: clause, 1: limit, index } of limits) {
      const without = (text: string): string =>
        main.text.slice(0, index) + text + main.text.slice(index + clause.length);
      expect(changed(without(''))).toMatchObject({ reason: 'statement' });
      expect(changed(without(clause.replace(/\$\d+/, 'ALL')))).toMatchObject({ reason: 'statement' });
      expect(changed(without(clause.replace(/\$\d+/, '$99')))).toMatchObject({ reason: 'rows' });
      const values = ['3', '1000000000000000000000', '-1', '1e9', ' 1', '0x7', '', null, { payload: 'text' }] as const;
      for (const value of values) {
        expect(changed(main.text, main.parameters.with(Number(limit) - 1, value))).toMatchObject({ reason: 'rows' });
      }
      expect(changed(main.text, main.parameters.with(Number(limit) - 1, '2'))).toBeNull();
    }
  });

  test('does not hold for what a write returns', () => {
    const bounded = { ...snapshot, settings: { ...snapshot.settings, dbMaxRows: 2 } };
    const headers = [['prefer', 'return=representation']] as const;
    const write = { method: 'PATCH', target: '/note?select=id,comment(id)', body: '{"body":"y"}', headers };
    expect(checkOf(bounded).refusal(messageOf(bounded, write))).toBeNull();
  });
});

describe('code of the database’s users', () => {
  const calls = (asked: Asked): boolean =>
    new KnownStatements(snapshot).callCode(messageOf(snapshot, asked).statements);

  test.each([
    '/note',
    '/note?select=*,comment(*)&id=eq.1&order=id&limit=1',
    '/note?select=n:id,body::text,data->a->>b,c:comment!inner(i:id,text)&c.order=text&words=fts.x&c=not.is.null',
    '/note?select=id::double%20precision,body.count()&or=(id.in.(1,2),not.and(body.like.*a*,id.gt.1))',
    '/note?select=id,...comment(text),paint(id,price,note(id))&limit=1',
    '/comment?select=id,...note(id,title:body,...comment(words:text))&order=note(id)',
  ])('is not in %s', (target) => {
    expect(calls({ target })).toBe(false);
    expect(calls({ target, headers: [['prefer', 'count=planned']] })).toBe(false);
  });

  test.each([
    '/note?select=called',
    '/note?select=*,x:called->a',
    '/note?called=eq.1',
    '/note?or=(id.eq.1,called.eq.1)',
    '/note?order=called',
    '/note?select=id,comment(called)',
    '/note?select=id,comment()&comment.called=eq.1&comment=not.is.null',
    '/comment?select=id,...note(called)',
    '/comment?select=id,...note(id)&order=note(called)',
    '/note?select=id,answers(id)',
    '/note?select=id::color',
    '/note?select=id.sum()',
    '/note?select=ctid',
    '/paint?select=color',
    '/paint',
    '/rpc/who',
  ])('may be in %s', (target) => {
    expect(calls({ target })).toBe(true);
  });

  test('makes bodies', () => {
    for (const type of ['text/note', 'application/geo+json']) {
      expect(calls({ target: '/note', headers: [['accept', type]] })).toBe(true);
    }
    expect(calls({ target: '/note', headers: [['accept', 'text/csv']] })).toBe(false);
  });

  test('is cleaned up after, whatever the message says', async () => {
    const locks = async (): Promise<unknown> => {
      const [row] = await database.sql`
        select count(*)::int as n from pg_locks l join pg_database d on d.oid = l.database
        where l.locktype = 'advisory' and d.datname = current_database()`;
      return row?.n;
    };
    const request = { ...message('/note?select=leaves'), runsCode: false };
    for (const one of [hop, unchecked.hop]) {
      expect(await bodyOf(await one.transaction(request, null, null))).toContain('"leaves":1');
      await expect.poll(locks).toBe(0);
    }
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

test('what the configuration does not allow', () => {
  const { settings } = snapshot;
  const check = checkOf({
    ...snapshot,
    settings: { ...settings, dbAggregatesEnabled: false, dbPlanEnabled: false },
  });
  const plan = [['accept', 'application/vnd.pgrst.plan+json']] as const;
  for (const asked of [{ target: '/note?select=body.count()' }, { target: '/note', headers: plan }]) {
    expect(checkOf(snapshot).refusal(messageOf(snapshot, asked))).toBeNull();
    expect(check.refusal(messageOf(snapshot, asked))).toMatchObject({ reason: 'statement' });
  }
  const estimated = messageOf(snapshot, { target: '/note', headers: [['prefer', 'count=planned']] });
  expect(check.refusal(estimated)).toBeNull();
});

test('texts that are forgotten are read again', () => {
  const check = checkOf(snapshot);
  // More than are remembered, twice.
  for (let i = 0; i < 800; i++) {
    const alias = `${i % 400}${'x'.repeat(25_000)}`;
    expect(check.refusal(messageOf(snapshot, { target: `/note?select=${alias}:id` }))).toBeNull();
  }
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
