/** Tokens of an issuer that publishes its keys, as Auth0, Clerk, Supabase Auth and Keycloak do: `jwt-secret` is a URL. */
import { base64url, SignJWT } from 'jose';
import { afterEach, describe, expect, test } from 'vitest';
import { edgerest, killAll } from '../../pooler/cli/program.fixture.ts';
import type { TransactionRequest } from '../../shared/hop/types.ts';
import { HttpHop } from '../../worker/hop/http.ts';
import { type Issuer, startIssuer } from '../issuer.ts';
import { type Asked, bodyOf, messageOf } from '../message.ts';
import { type Answer, ask, office, type Place, type Process, portOf, says, until } from './program.ts';

const db = office('jwks');

const issuers: Issuer[] = [];
async function issuing(alg?: Parameters<typeof startIssuer>[0]): Promise<Issuer> {
  const issuer = await startIssuer(alg);
  issuers.push(issuer);
  return issuer;
}
afterEach(async () => {
  killAll();
  for (const issuer of issuers.splice(0)) await issuer.stop().catch(() => undefined);
});

/** Asks who a token is for. */
const who = (port: Place, token: string | null): Promise<Answer> =>
  ask(port, '/rpc/role', { headers: token === null ? {} : { authorization: `Bearer ${token}` } });

/** The same as a worker's message to the pooler that this hop leads to. */
async function whoMessage(hop: HttpHop, asked: Pick<Asked, 'token' | 'role'>): Promise<TransactionRequest> {
  const fetched = await hop.fetchSnapshot([], null);
  if (fetched.kind !== 'new') throw new Error(fetched.kind);
  return messageOf(fetched.snapshot, { target: '/rpc/role', ...asked });
}

const times = (process: Process, words: string): number => process.said().split(words).length - 1;

/** As nobody's clock is that slow in a test: what is asked for only once in this time is asked for once. */
const NEVER = { EDGEREST_JWKS_REFRESH: '86400', EDGEREST_JWKS_COOLDOWN: '3600' };

describe.each(['serve', 'edge'] as const)('%s', (command) => {
  const serve = (issuer: Issuer, env: Readonly<Record<string, string>> = {}) =>
    db.serve({ PGRST_JWT_SECRET: issuer.url, ...env }, command);

  test('takes a token with a new key at once, and lets nobody make it ask again and again', async () => {
    const issuer = await issuing(command === 'serve' ? 'RS256' : 'EdDSA');
    const { port, process } = await serve(issuer, NEVER);
    const old = await issuer.token({ role: db.author });
    expect(await who(port, old)).toMatchObject({ status: 200, text: `"${db.author}"` });
    expect(await who(port, null)).toMatchObject({ status: 200, text: `"${db.anon}"` });
    expect(process.said()).toMatch(/Fetched the keys for tokens from 127\.0\.0\.1:\d+: 1 of them/);
    expect(process.said()).not.toContain('jwks.json');
    expect(issuer.asked).toBe(1);
    await issuer.rotate();
    const tokens = await Promise.all([1, 2, 3].map((n) => issuer.token({ role: db.author, n })));
    const answers = await Promise.all(tokens.map((token) => who(port, token)));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
    expect(issuer.asked).toBe(2);
    expect((await who(port, old)).status).toBe(200);
    for (let n = 0; n < 20; n++) {
      const answer = await who(port, await issuer.token({ role: db.author }, `made-up-${n}`));
      expect(answer.status).toBe(401);
      expect(JSON.parse(answer.text)).toMatchObject({ code: 'PGRST301' });
    }
    expect(issuer.asked).toBe(2);
  });

  test('asks again for an unknown key when it has waited, and refuses keys that are withdrawn', async () => {
    const issuer = await issuing();
    const { port, process } = await serve(issuer, { EDGEREST_JWKS_REFRESH: '3', EDGEREST_JWKS_COOLDOWN: '1' });
    expect((await who(port, await issuer.token({}, 'made-up'))).status).toBe(401);
    const old = await issuer.token({ role: db.author });
    await issuer.rotate();
    const token = await issuer.token({ role: db.author });
    await until(process, async () => (await who(port, token)).status === 200);
    expect((await who(port, old)).status).toBe(200);
    await issuer.rotate('alone');
    await until(process, async () => (await who(port, old)).status === 401);
    expect((await who(port, await issuer.token({ role: db.author }))).status).toBe(200);
  });

  test('starts while the issuer is away', async () => {
    const issuer = await issuing();
    await issuer.stop();
    const { port, process } = await serve(issuer, NEVER);
    const token = await issuer.token({ role: db.author });
    expect(await who(port, null)).toMatchObject({ status: 200, text: `"${db.anon}"` });
    const answer = await who(port, token);
    expect([answer.status, answer.headers['retry-after']]).toEqual([503, '1']);
    expect(JSON.parse(answer.text)).toMatchObject({ code: 'EDGE012', message: 'Tokens cannot be verified yet' });
    expect(process.said()).toMatch(
      /Failed to fetch the keys for tokens from 127\.0\.0\.1:\d+: it cannot be reached .* tokens are answered with 503/,
    );
    await issuer.start();
    await until(process, async () => (await who(port, token)).status === 200);
  });

  test('goes on with the keys that it has while the issuer is away, and says so once', async () => {
    const issuer = await issuing();
    const { port, process } = await serve(issuer, {
      EDGEREST_JWKS_REFRESH: '1',
      EDGEREST_JWKS_COOLDOWN: '1',
      PGRST_ADMIN_SERVER_HOST: '127.0.0.1',
      PGRST_ADMIN_SERVER_PORT: '0',
    });
    const admin = await portOf(process, 'Admin server');
    const fetches = async (status: string): Promise<number> => {
      const { text } = await ask(admin, '/metrics');
      return Number(new RegExp(`edgerest_jwks_fetches_total\\{status="${status}"\\} (\\d+)`).exec(text)?.[1] ?? 0);
    };
    const token = await issuer.token({ role: db.author });
    expect((await who(port, token)).status).toBe(200);
    await issuer.stop();
    await until(process, async () => (await fetches('FAIL')) >= 2);
    expect((await who(port, await issuer.token({ role: db.author, other: true }))).status).toBe(200);
    expect((await who(port, await issuer.token({}, 'made-up'))).status).toBe(401);
    expect(times(process, 'Failed to fetch the keys')).toBe(1);
    expect(process.said()).toContain('the 1 known ones stay in use');
    await issuer.start();
    await says(process, /can be fetched from 127\.0\.0\.1:\d+ again; they are the same/);
    expect(await fetches('SUCCESS')).toBeGreaterThanOrEqual(2);
    const { text } = await ask(admin, '/metrics');
    const when = Number(/edgerest_jwks_last_success_timestamp_seconds ([\d.e+]+)/.exec(text)?.[1]);
    expect(Math.abs(when - Date.now() / 1000)).toBeLessThan(600);
    issuer.answer = (response) => response.end('<html>maintenance</html>');
    await until(process, () => times(process, 'its answer is not a JSON Web Key Set') === 1);
    expect((await who(port, token)).status).toBe(200);
  });
});

test('a symmetric key that everybody can fetch verifies nothing', async () => {
  const issuer = await issuing();
  const secret = 'a symmetric key in a set that is public';
  const k = base64url.encode(secret);
  issuer.published = [...issuer.published, { kty: 'oct', k, alg: 'HS256', kid: 'symmetric' }];
  const { port, process } = await db.serve({ PGRST_JWT_SECRET: issuer.url });
  const forged = await new SignJWT({ role: db.author })
    .setProtectedHeader({ alg: 'HS256', kid: 'symmetric' })
    .sign(new TextEncoder().encode(secret));
  expect((await who(port, forged)).status).toBe(401);
  expect((await who(port, await issuer.token({ role: db.author }))).status).toBe(200);
  expect(process.said()).toMatch(/Warning: 1 symmetric key\(s\) in the key set of 127\.0\.0\.1:\d+ are not used/);
});

test('another issuer takes the place of the first with a reload', async () => {
  const [first, second] = [await issuing(), await issuing()];
  const { port, process } = await db.serve({ PGRST_JWT_SECRET: first.url, ...NEVER });
  const [old, fresh] = [await first.token({ role: db.author }), await second.token({ role: db.author })];
  expect((await who(port, old)).status).toBe(200);
  await db.database.sql.unsafe(`alter role ${db.login} set pgrst.jwt_secret = '${second.url}'`);
  try {
    await db.database.sql.unsafe(`notify pgrst, 'reload config'`);
    await says(process, /Config reloaded/);
    expect([(await who(port, old)).status, (await who(port, fresh)).status]).toEqual([401, 200]);
  } finally {
    await db.database.sql.unsafe(`alter role ${db.login} reset pgrst.jwt_secret`);
  }
});

test('a pooler knows the keys of tokens that another pooler has let pass', async () => {
  const issuer = await issuing();
  const secret = 'x'.repeat(32);
  const pooler = db.start('pooler', { ...NEVER, PGRST_JWT_SECRET: issuer.url, EDGEREST_POOLER_SECRET: secret });
  const port = await portOf(pooler, 'Pooler');
  const hop = new HttpHop({ url: `http://127.0.0.1:${port}`, secret });
  await issuer.rotate();
  const token = await issuer.token({ role: db.author });
  const request = await whoMessage(hop, { token, role: db.anon });
  expect(await bodyOf(await hop.transaction(request, null, null))).toBe(JSON.stringify(db.author));
});

test('a pooler without keys yet says so, and takes no role on trust', async () => {
  const issuer = await issuing();
  await issuer.stop();
  const secret = 'x'.repeat(32);
  const env = { PGRST_JWT_SECRET: issuer.url, EDGEREST_POOLER_SECRET: secret, EDGEREST_ALLOWED_ROLES: db.author };
  const port = await portOf(db.start('pooler', env), 'Pooler');
  const hop = new HttpHop({ url: `http://127.0.0.1:${port}`, secret });
  const request = await whoMessage(hop, { role: db.author });
  const token = await issuer.token({ role: db.author });
  expect(await hop.transaction({ ...request, token }, null, null)).toMatchObject({
    failure: { kind: 'refused', reason: 'keys', status: 503 },
  });
  const anonymous = await hop.transaction({ ...request, token: null }, null, null);
  expect(await bodyOf(anonymous)).toBe(JSON.stringify(db.anon));
});

test('the URL is shown by --dump-config, and one that is not safe stops the start', async () => {
  const url = 'https://issuer.example.com/.well-known/jwks.json';
  const dump = edgerest(['--dump-config'], { PGRST_DB_CONFIG: 'false', PGRST_JWT_SECRET: url });
  expect(await dump.exited).toBe(0);
  expect(dump.out()).toContain(`jwt-secret = "${url}"\n`);
  const plain = edgerest(['serve'], { PGRST_JWT_SECRET: url.replace('https', 'http') });
  expect(await plain.exited).toBe(1);
  expect(plain.said()).toMatch(/PGRST_JWT_SECRET is not right: it must be an https URL of a key set/);
});
