/** At the most verbose level, through requests that fail in every way: no secret, token, password or value in any log, metric or answer. */
import { SignJWT } from 'jose';
import { expect, test } from 'vitest';
import { edgerest } from '../../pooler/cli/program.fixture.ts';
import { encodeRequest, REQUEST_TYPE } from '../../shared/hop/codec.ts';
import { transactionRequest } from '../../shared/hop/request.fixture.ts';
import { PASSWORD } from '../faults/http/ledger.ts';
import { JWT_SECRET, token } from '../faults/http/questions.ts';
import { startNodeWorker } from '../faults/http/worker.ts';
import { POOLER_SECRET, place } from './place.ts';

const VERBOSE = { PGRST_LOG_LEVEL: 'debug', PGRST_LOG_QUERY: 'true', PGRST_SERVER_TIMING_ENABLED: 'true' };
const made = place(
  'leaks',
  VERBOSE,
  () => `create table api.typed (id int primary key, day date, word text check (length(word) < 20) unique);
    create function api.typed_call(id int, day date) returns int language sql as 'select 1';
    create function api.crash() returns int language plpgsql as $$ begin return 1 / 0; end $$;
    create function api.raised() returns int language plpgsql as $$ begin raise sqlstate 'PT500' using message = 'ours'; end $$;`,
);

/** What must not be anywhere. The value of a header or a body is a client's own; the URL alone is in the access log. */
const VALUE = 'a-value-of-a-parameter';
const LONG_VALUE = `${VALUE}-that-is-longer-than-it-may-be`;
const CLAIM = 'a-claim-of-a-token';
const OTHER_SECRET = 'another-secret-for-tokens-that-nobody-here-knows';

const sign = (secret: string, claims: Readonly<Record<string, unknown>>): Promise<string> =>
  new SignJWT(claims).setProtectedHeader({ alg: 'HS256' }).sign(new TextEncoder().encode(secret));

interface Ask {
  readonly path: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** Requests that fail, and some that do not. */
async function asks(role: string): Promise<{ readonly asks: readonly Ask[]; readonly tokens: readonly string[] }> {
  const good = await sign(JWT_SECRET, { role, secret_claim: CLAIM });
  const tokens = [
    good,
    await sign(OTHER_SECRET, { role, secret_claim: CLAIM }),
    await sign(JWT_SECRET, { role, secret_claim: CLAIM, exp: 1 }),
    await sign(JWT_SECRET, { role, secret_claim: CLAIM, exp: 'never' }),
    await sign(JWT_SECRET, { role: 'nobody_at_all', secret_claim: CLAIM }),
    await sign(JWT_SECRET, { role: 'none', secret_claim: CLAIM }),
    `${good.slice(0, -3)}xyz`,
    'no.token.at-all-but-long-enough',
  ];
  const json = { 'content-type': 'application/json', cookie: `session=${VALUE}`, 'x-value': VALUE };
  const own = { ...json, authorization: `Bearer ${good}` };
  const posts = (path: string, ...bodies: readonly string[]): readonly Ask[] =>
    bodies.map((body) => ({ path, method: 'POST', headers: own, body }));
  return {
    tokens,
    asks: [
      ...tokens.flatMap((each) => [
        { path: '/me', headers: { ...json, authorization: `Bearer ${each}` } },
        {
          path: '/typed',
          method: 'POST',
          headers: { ...json, authorization: `Bearer ${each}` },
          body: `{"word":"${VALUE}"}`,
        },
      ]),
      { path: '/me', headers: { authorization: `Basic ${btoa(`user:${PASSWORD}`)}` } },
      ...posts('/typed', `{"id":"${VALUE}"}`, `{"id":1,"day":"${VALUE}"}`, `{"id":2,"word":"${LONG_VALUE}"}`),
      ...posts('/typed', `{"id":3,"word":"${VALUE}"}`, `{"id":4,"word":"${VALUE}"}`, `{"id":3,"word":"x"}`),
      ...posts('/typed', `{"${VALUE}":1}`, `{"id":1,`, `[{"id":1},{"word":"${VALUE}"}]`),
      ...posts('/rpc/typed_call', `{"id":"${VALUE}","day":"x"}`, `{"id":1,"day":"${VALUE}"}`),
      ...posts('/rpc/late', `{"nonce":"${VALUE}"}`),
      ...posts('/rpc/crash', '{}'),
      ...posts('/rpc/raised', '{}'),
      ...posts('/ledger', `{"nonce":"${VALUE}-deferred","parent":7}`),
      { path: '/typed', method: 'PUT', headers: own, body: `{"id":1,"word":"${VALUE}"}` },
    ],
  };
}

test('nothing is told', { timeout: 60_000 }, async () => {
  const { serve, pooler, adminPorts, names, database } = made();
  await database.sql
    .unsafe(
      `grant all on all tables in schema api to ${names.roles.join()}; alter role ${names.login} connection limit -1`,
    )
    .simple();
  const worker = await startNodeWorker(pooler.url, POOLER_SECRET);
  const failing = await asks(names.roles[0]);
  const heard: string[] = [];
  const errors: string[] = [];
  const ask = async (url: string, { path, ...init }: Ask): Promise<void> => {
    const answer = await fetch(url + path, init);
    const text = await answer.text();
    heard.push([...answer.headers].map((pair) => pair.join(': ')).join('\n'));
    // A database's message says what is wrong with the client's own value, to that client: as PostgREST does.
    if (answer.status >= 400) errors.push(text);
  };
  for (const each of failing.asks) {
    await ask(serve.url, each);
    await ask(`http://127.0.0.1:${worker.port}`, each);
  }
  // What is wrong at the pooler's door.
  const message = encodeRequest(
    transactionRequest({
      token: failing.tokens[0] ?? '',
      statements: [{ text: 'select $1', parameters: [VALUE], result: { kind: 'none' } }],
    }),
    new TextEncoder().encode(VALUE),
  );
  for (const bytes of [message, message.with(2, 9), message.subarray(0, 50), new TextEncoder().encode(VALUE)]) {
    for (const secret of [POOLER_SECRET, `${POOLER_SECRET}x`]) {
      const headers = { 'content-type': REQUEST_TYPE, authorization: `Bearer ${secret}` };
      const answer = await fetch(`${pooler.url}/v1/transaction`, {
        method: 'POST',
        headers,
        body: new Uint8Array(bytes),
      });
      heard.push([...answer.headers].map((pair) => pair.join(': ')).join('\n'), await answer.text());
    }
  }
  // The database goes away, and the answers with it.
  await database.sql`select pg_terminate_backend(pid) from pg_stat_activity where usename = ${names.login}`;
  await database.sql.unsafe(`alter role ${names.login} connection limit 0`);
  for (const each of failing.asks.slice(0, 6)) {
    await ask(serve.url, each);
    await ask(`http://127.0.0.1:${worker.port}`, each);
  }
  for (const port of Object.values(adminPorts)) {
    for (const path of ['/metrics', '/schema_cache', '/live', '/ready']) {
      heard.push(await (await fetch(`http://127.0.0.1:${port}${path}`)).text());
    }
  }
  // Nobody gets in with the wrong password, and nobody starts with a wrong configuration: that is told, too.
  const wrong = edgerest(['serve'], {
    PGRST_DB_URI: database.uriAs(names.login, `${PASSWORD}-wrong`),
    PGRST_DB_ANON_ROLE: 'x',
    ...VERBOSE,
  });
  const short = edgerest(['pooler'], {
    PGRST_DB_URI: database.uriAs(names.login, PASSWORD),
    EDGEREST_POOLER_SECRET: 'short-secret',
  });
  await Promise.all([wrong.exited, short.exited]);
  await worker.close();

  const logs = [serve.said(), pooler.said(), wrong.said(), wrong.out(), short.said()];
  expect(logs[0]).toContain('57014');
  const everywhere = [...logs, ...heard, ...errors];
  const secrets = [
    JWT_SECRET,
    POOLER_SECRET,
    PASSWORD,
    encodeURIComponent(PASSWORD),
    OTHER_SECRET,
    'short-secret',
    CLAIM,
  ];
  for (const secret of [...secrets, ...failing.tokens]) {
    expect(
      everywhere.filter((text) => text.includes(secret)),
      secret,
    ).toEqual([]);
  }
  const encoded = btoa(JWT_SECRET).replace(/=+$/, '');
  for (const text of [...logs, ...heard]) {
    expect(text).not.toContain(VALUE);
    expect(text).not.toContain(encoded);
  }
});

test('a token that is good is not in an answer either', async () => {
  const { serve, names } = made();
  const bearer = token({ role: names.roles[0], nonce: 'x' });
  const answer = await fetch(`${serve.url}/nothing_here`, { headers: { authorization: `Bearer ${bearer}` } });
  expect((await answer.text()) + [...answer.headers].flat().join()).not.toContain(bearer);
});
