/** What the pooler sees in messages under a snapshot: how much is asked for, by which request, and what it calls. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Pooler } from '../../pooler/start.ts';
import { MessageCheck } from '../../pooler/statements/check.ts';
import { KnownStatements } from '../../pooler/statements/known.ts';
import type { ResultShape, Statement, TransactionRequest } from '../../shared/hop/types.ts';
import type { Snapshot } from '../../shared/snapshot/types.ts';
import { type Asked, bodyOf, messageOf } from '../message.ts';
import { createSecretDatabase, type SecretDatabase, startUnchecked } from './database.ts';
import { requests } from './requests.ts';

let database: SecretDatabase;
let pooler: Pooler;
let snapshot: Snapshot;

beforeAll(async () => {
  database = await createSecretDatabase();
  pooler = await startUnchecked(database);
  const loaded = pooler.source.current();
  if (loaded === null) throw new Error('there is no snapshot');
  snapshot = loaded.snapshot;
});
afterAll(async () => {
  await pooler?.close(0);
  await database?.drop();
});

const message = (target = '/note'): TransactionRequest => messageOf(snapshot, { target });
const checkOf = (under: Snapshot): MessageCheck => new MessageCheck(new KnownStatements(under));

describe('the request of a statement', () => {
  test('method, path, schema and access are those of a request for the statement', () => {
    const of = (asked: Asked): TransactionRequest => messageOf(snapshot, asked);
    const call = of({ method: 'POST', target: '/rpc/strict_add', body: '{"a":1}' });
    const check = checkOf(snapshot);
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
      ...['PUT', 'PATCH', 'DELETE'].map((method) => ({ ...call, method })),
      ...['/', '', '/comment', '/NOTE', '/note/', '//note', '/rpc/note', '/note%2F', '/%6eote%00'].map((path) => ({
        ...read,
        path,
      })),
      ...['/strict_add', '/rpc/who', '/rpc/', '/', 'rpc', '/rpc/strict_add/', '/RPC/strict_add'].map((path) => ({
        ...call,
        path,
      })),
      { ...read, access: 'read write' },
      { ...insert, access: 'read only' },
      { ...remove, access: 'read only' },
      { ...stable, access: 'read write' },
      { ...call, method: 'GET' },
      { ...empty, method: 'POST' },
      { ...empty, path: '/note' },
      { ...empty, access: 'read write' },
      { ...read, document: true },
    ];
    for (const request of wrong) {
      expect(check.refusal(request), JSON.stringify(request)).toMatchObject({ reason: 'request' });
    }
    const taken = [
      { ...read, method: 'HEAD' },
      ...['note', '/%6eote', '/%6Eot%65'].map((path) => ({ ...read, path })),
      { ...stable, path: '/%72pc/%77ho' },
      { ...empty, path: '' },
    ];
    for (const request of taken) expect(check.refusal(request), request.path).toBeNull();
  });

  test('a statement of another schema than the request’s', () => {
    const settings = { ...snapshot.settings, dbSchemas: ['api', 'other'] };
    const check = checkOf({ ...snapshot, settings });
    expect(check.refusal(message())).toBeNull();
    for (const request of [message(), message('/rpc/who')]) {
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
});

describe('the result that is wanted', () => {
  const shapes: readonly ResultShape[] = [
    { kind: 'none' },
    { kind: 'lines' },
    ...[null, 0, 4, 7, 8, 2 ** 40].flatMap((body): readonly ResultShape[] => [
      { kind: 'row', body },
      { kind: 'row', body, binary: true },
      { kind: 'row', body, binary: true, stream: true },
    ]),
  ];

  test.each(requests)('is that of a worker for %j', (asked) => {
    const check = checkOf(snapshot);
    const request = messageOf(snapshot, asked);
    for (const [i, { result }] of request.statements.entries()) {
      for (const shape of shapes) {
        const statements = request.statements.map((s, j) => (i === j ? { ...s, result: shape } : s));
        const refused = check.refusal({ ...request, statements });
        // To stream is up to the worker.
        const { stream: _, ...wanted } = { stream: true, ...result };
        if (JSON.stringify(shape) === JSON.stringify(wanted)) expect(refused).toBeNull();
        else expect(refused, JSON.stringify(shape)).toMatchObject({ reason: 'statement' });
      }
    }
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
    const request = {
      ...messageOf(snapshot, { target: '/note?select=leaves', role: database.alice }),
      runsCode: false,
    };
    for (let i = 0; i < 3; i++) {
      expect(await bodyOf(await pooler.hop.transaction(request, null, null))).toContain('"leaves":1');
      await expect.poll(locks).toBe(0);
    }
  });
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
  const grouped = messageOf(snapshot, { target: '/note?select=id,body.count()' });
  const statements = grouped.statements.map((s) => ({
    ...s,
    text: s.text.replace(', pg_catalog.count("api"."note"."body")', ''),
  }));
  expect(checkOf(snapshot).refusal({ ...grouped, statements })).toBeNull();
  expect(check.refusal({ ...grouped, statements })).toMatchObject({ reason: 'statement' });
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

describe('texts as long as a message may be', () => {
  const many = (piece: string, length = 3_000_000): string => piece.repeat(Math.floor(length / piece.length));
  const joined = (many: string): string => many.slice(0, many.lastIndexOf('"') + 1);
  const source = (query: string): string =>
    `WITH pgrst_source AS ( ${query} )${message().statements[0]?.text.replace(/^.*? \)/, '')}`;
  /** Levels around a query, each of which has the one inside joined. */
  function around(query: string, levels: number, selected: (inner: number) => string): string {
    let text = query;
    for (let i = 0; i < levels; i++) {
      text = `SELECT ${selected(i)} FROM "api"."note" AS "n${i}" LEFT JOIN LATERAL ( ${text} ) AS "l${i}" ON TRUE`;
    }
    return text;
  }
  const columns = (count: number): string =>
    Array.from({ length: count }, (_, i) => `"note"."id" AS "${i}"`).join(', ');

  test.each([
    ['names', () => `SELECT ${joined(many('"note"."id", '))} FROM "api"."note"`],
    [
      'names of many relations',
      () =>
        `SELECT ${joined(many('"note"."id", ', 1_500_000))} FROM "api"."note"` +
        many(' LEFT JOIN LATERAL ( SELECT  FROM "api"."note" ) AS "x" ON TRUE', 1_500_000),
    ],
    [
      'names of the outermost relation',
      () => around(`SELECT ${joined(many('"n999"."id", '))} FROM "api"."comment"`, 1000, (i) => `"l${i}".*`),
    ],
    [
      'columns that are handed on',
      () => around(`SELECT ${columns(100_000)} FROM "api"."note"`, 1000, (i) => `"l${i}".*`),
    ],
    [
      'counts within counts',
      () =>
        `SELECT "note".* FROM "api"."note" WHERE ${'EXISTS (SELECT 1  FROM "api"."note" WHERE '.repeat(1000)}` +
        `${many('"note"."id" = $1 AND ', 2_500_000)}"note"."id" = $1${')'.repeat(1000)}`,
    ],
  ])('%s', (_, query) => {
    expect(new KnownStatements(snapshot).kindOf(source(query()))).toMatchObject({ kind: 'read' });
  });

  test('a name that comes again and again', () => {
    const write = {
      method: 'POST',
      target: '/note',
      body: '{"id":1}',
      headers: [['prefer', 'missing=default']],
    } as const;
    for (const asked of [write, { method: 'POST', target: '/rpc/strict_add', body: '{"a":1}' }]) {
      const text = messageOf(snapshot, asked).statements[0]?.text ?? '';
      for (const name of ['"id"', '"a"', '"a" := pgrst_body."a"']) {
        if (!text.includes(name)) continue;
        const repeated = text.replaceAll(name, () => many(`${name}, `, 500_000).slice(0, -2));
        expect(typeof new KnownStatements(snapshot).kindOf(repeated)).toBe('number');
      }
    }
  });
});
