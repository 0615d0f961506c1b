import { base64url, EncryptJWT, exportJWK, generateKeyPair, SignJWT } from 'jose';
import { describe, expect, test } from 'vitest';
import type { KeySet } from '../../shared/config/key-set.ts';
import { keyOf, type VerificationKey } from '../../shared/config/keys.ts';
import { plainSettings } from '../../shared/snapshot/settings.fixture.ts';
import type { WorkerSettings } from '../../shared/snapshot/types.ts';
import { ApiError } from '../error.ts';
import { Authenticator } from './authenticator.ts';
import { UnknownKeyError } from './errors.ts';

const secret = new TextEncoder().encode('reallyreallyreallyreallyverysafe');
const keys: KeySet = { keys: [{ kty: 'oct', alg: 'HS256', use: 'sig', k: base64url.encode(secret) }] };

const settings: WorkerSettings = { ...plainSettings };

/** Signs a payload's text as it is, whatever digits it has. */
async function sign(payload: string, header: Record<string, string> = { alg: 'HS256' }, key = secret): Promise<string> {
  const input = `${base64url.encode(JSON.stringify(header))}.${base64url.encode(payload)}`;
  const hmac = await crypto.subtle.importKey('raw', key.slice(), { name: 'HMAC', hash: 'SHA-256' }, false, ['sign']);
  const mac = await crypto.subtle.sign('HMAC', hmac, new TextEncoder().encode(input));
  return `${input}.${base64url.encode(new Uint8Array(mac))}`;
}

/** A public key as its issuer shows it. */
async function published(key: CryptoKey, kid?: string): Promise<VerificationKey> {
  const read = keyOf({ ...(await exportJWK(key)), kid });
  if (read === null) throw new Error('no key');
  return read;
}

const now = () => Math.floor(Date.now() / 1000);
const authenticator = (more: Partial<WorkerSettings> = {}, set: KeySet | null = keys) =>
  new Authenticator(set, { ...settings, ...more });

async function refusal(token: string | null, auth = authenticator()): Promise<ApiError> {
  try {
    await auth.authenticate(token);
  } catch (error) {
    if (error instanceof ApiError) return error;
    throw error;
  }
  throw new Error('the token was accepted');
}

describe('a valid token', () => {
  test('gives its role, and its claims sorted with the token’s own digits', async () => {
    const token = await sign('{"sub":12345678901234567890123,"role":"alice","x":[1.50,1e2,{"b":null,"a":"é"}]}');
    expect(await authenticator().authenticate(token)).toEqual({
      role: 'alice',
      claims: '{"role":"alice","sub":12345678901234567890123,"x":[1.5,100,{"a":"é","b":null}]}',
      authenticated: true,
    });
  });

  test('without a role claim is anonymous, and its claims say so', async () => {
    expect(await authenticator().authenticate(await sign('{"id":1}'))).toEqual({
      role: 'anon',
      claims: '{"id":1,"role":"anon"}',
      authenticated: false,
    });
  });

  test('is answered at once the second time, and still expires', async () => {
    const auth = authenticator();
    const token = await sign(`{"role":"alice","exp":${now() - 29}}`);
    await auth.authenticate(token);
    expect(auth.authenticate(token)).not.toBeInstanceOf(Promise);
    const real = Date.now;
    Date.now = () => real() + 60_000;
    try {
      expect((await refusal(token, auth)).message).toBe('JWT expired');
    } finally {
      Date.now = real;
    }
  });

  test('is kept as long as there is room for it', async () => {
    const [first, second] = [await sign('{"role":"alice"}'), await sign('{"role":"bob"}')];
    const one = authenticator({ jwtCacheMaxEntries: 1 });
    await one.authenticate(first);
    expect(one.authenticate(first)).not.toBeInstanceOf(Promise);
    await one.authenticate(second);
    await one.authenticate(await sign('{"role":"carol"}'));
    const again = one.authenticate(second);
    expect(again).toBeInstanceOf(Promise);
    expect((await again).role).toBe('bob');

    const none = authenticator({ jwtCacheMaxEntries: 0 });
    await none.authenticate(first);
    const verified = none.authenticate(first);
    expect(verified).toBeInstanceOf(Promise);
    expect((await verified).role).toBe('alice');
  });

  test('of any size is verified, and a role of any letters is handed on', async () => {
    const token = await sign(JSON.stringify({ role: 'ünïcode 🙂 "; drop', x: 'y'.repeat(50_000) }));
    expect((await authenticator().authenticate(token)).role).toBe('ünïcode 🙂 "; drop');
  });

  test('finds the role by a path', async () => {
    const token = await sign('{"https://example.com/roles":["writer","admin_x"],"app":{"role":"alice"}}');
    const role = async (jwtRoleClaimKey: string) => (await authenticator({ jwtRoleClaimKey }).authenticate(token)).role;
    expect(await role('$.app.role')).toBe('alice');
    expect(await role('.app.role')).toBe('alice');
    expect(await role("$['https://example.com/roles'][0]")).toBe('writer');
    expect(await role('."https://example.com/roles"[?(@ ^== "admin")]')).toBe('admin_x');
    expect(await role("$['https://example.com/roles'][?(@ == 'writer')]")).toBe('writer');
    expect(await role("$['https://example.com/roles'][?search(@, '^adm')]")).toBe('admin_x');
    expect(await role('$..role')).toBe('alice');
    expect(await role('.nothing.here')).toBe('anon');
  });

  test.each(['RS256', 'PS384', 'ES256', 'ES512', 'EdDSA'])(
    'signed with %s verifies against its public key',
    async (alg) => {
      const pair = await generateKeyPair(alg);
      const jwk = await published(pair.publicKey, 'one');
      const other = await published((await generateKeyPair(alg)).publicKey, 'two');
      const token = await new SignJWT({ role: 'alice' }).setProtectedHeader({ alg, kid: 'one' }).sign(pair.privateKey);
      expect((await authenticator({}, { keys: [other, jwk] }).authenticate(token)).role).toBe('alice');
      expect((await refusal(token, authenticator({}, { keys: [other] }))).details).toBe(
        'No suitable key was found to decode the JWT',
      );
    },
  );
});

describe('refused', () => {
  test.each([
    ['', 'Empty JWT is sent in Authorization header'],
    ['a.b', 'Expected 3 parts in JWT; got 2'],
    ['quifquirndsjagnrgniur.fonvoienqhhdj.iuqvnvhojah', 'JWT cryptographic operation failed'],
  ])('the malformed token %j', async (token, message) => {
    const error = await refusal(token);
    expect(error).toMatchObject({ status: 401, code: 'PGRST301', message });
    expect(error.headers).toEqual([
      ['WWW-Authenticate', `Bearer error="invalid_token", error_description="${message}"`],
    ]);
  });

  test('a forged signature, another key, another algorithm', async () => {
    const token = await sign('{"role":"alice"}');
    const forged = `${token.slice(0, -5)}AAAAA`;
    const none = 'None of the keys was able to decode the JWT';
    expect(await refusal(forged)).toMatchObject({ code: 'PGRST301', details: none });
    const swapped = `${token.split('.')[0]}.${base64url.encode('{"role":"postgres"}')}.${token.split('.')[2]}`;
    expect(await refusal(swapped)).toMatchObject({ code: 'PGRST301', details: none });
    const stranger = await sign('{"role":"alice"}', { alg: 'HS256' }, new TextEncoder().encode('x'.repeat(32)));
    expect(await refusal(stranger)).toMatchObject({ code: 'PGRST301', details: none });
    expect(await refusal(await sign('{}', { alg: 'HS512' }))).toMatchObject({
      details: 'No suitable key was found to decode the JWT',
    });
    expect(await refusal(await sign('{}', { alg: 'HS256', kid: 'unknown' }))).toMatchObject({
      details: 'No suitable key was found to decode the JWT',
    });
  });

  test('alg none, whatever the signature', async () => {
    expect(await refusal('eyJ0eXAiOiJKV1QiLCJhbGciOiJub25lIn0.e30.yOBhlOIqn56T')).toMatchObject({
      status: 401,
      code: 'PGRST301',
      details: "JWT is unsecured but expected 'alg' was not 'none'",
    });
  });

  test('an RSA public key’s bytes used as an HMAC secret', async () => {
    const { publicKey } = await generateKeyPair('RS256', { extractable: true });
    const jwk = await published(publicKey);
    const token = await sign('{"role":"alice"}', { alg: 'HS256' }, new Uint8Array(base64url.decode(jwk.n ?? '')));
    expect(await refusal(token, authenticator({}, { keys: [jwk] }))).toMatchObject({ code: 'PGRST301' });
  });

  test.each([
    [`{"exp":${now() - 60}}`, 'JWT expired'],
    [`{"nbf":${now() + 90}}`, 'JWT not yet valid'],
    [`{"iat":${now() + 90}}`, 'JWT issued at future'],
    ['{"exp":"soon"}', "The JWT 'exp' claim must be a number"],
    ['{"aud":{}}', "The JWT 'aud' claim must be a string or an array of strings"],
    ['{"aud":"others"}', 'JWT not in audience'],
    ['[1]', 'Parsing claims failed'],
    ['not json', 'Parsing claims failed'],
    ['{"role":"a","x":{"role":1,"role":"b"},"role" :"b"}', 'Parsing claims failed'],
    ['{"role":"a","r\\u006fle":"b"}', 'Parsing claims failed'],
  ])('the claims %s', async (payload, message) => {
    const error = await refusal(await sign(payload), authenticator({ jwtAud: 'us' }));
    expect(error).toMatchObject({ status: 401, code: 'PGRST303', message });
  });

  test('what a token says of its own key: an embedded jwk, x5c, jku, crit, a kid with a path or SQL', async () => {
    const { publicKey, privateKey } = await generateKeyPair('RS256');
    const jwk = await exportJWK(publicKey);
    const header = { alg: 'RS256', jwk, jku: 'https://evil.example.com/jwks', x5u: 'https://evil.example.com' };
    const token = await new SignJWT({ role: 'alice' }).setProtectedHeader(header).sign(privateKey);
    expect(await refusal(token)).toMatchObject({ code: 'PGRST301' });
    for (const kid of ['../../../../dev/null', "' or 1=1 --", '', 'a'.repeat(10_000)]) {
      expect(await refusal(await sign('{"role":"alice"}', { alg: 'HS256', kid }))).toMatchObject({ code: 'PGRST301' });
    }
    expect(await refusal(await sign('{"role":"alice"}', { alg: 'HS256', crit: '["x"]' }))).toMatchObject({
      code: 'PGRST301',
    });
  });

  test('an encrypted token', async () => {
    const token = await new EncryptJWT({ role: 'alice' })
      .setProtectedHeader({ alg: 'dir', enc: 'A128CBC-HS256' })
      .encrypt(secret);
    expect(await refusal(token)).toMatchObject({ code: 'PGRST301', message: 'Expected 3 parts in JWT; got 5' });
  });

  test('any token without a key to verify it', async () => {
    expect(await refusal(await sign('{}'), authenticator({}, null))).toMatchObject({ status: 500, code: 'PGRST300' });
  });

  test('no token and no anonymous role', async () => {
    expect(await refusal(null, authenticator({ dbAnonRole: null }))).toMatchObject({ status: 401, code: 'PGRST302' });
    expect(await refusal(await sign('{}'), authenticator({ dbAnonRole: null }))).toMatchObject({ code: 'PGRST302' });
  });
});

describe('keys of an issuer', () => {
  const remote = async () => {
    const { publicKey, privateKey } = await generateKeyPair('ES256', { extractable: true });
    const jwk = await published(publicKey, 'known');
    const token = (header: Readonly<Record<string, string>>) =>
      new SignJWT({ role: 'alice' }).setProtectedHeader({ alg: 'ES256', ...header }).sign(privateKey);
    return { auth: authenticator({}, { keys: [jwk], remote: 'fetched' }), token };
  };

  test('that has not answered yet are waited for by the client', async () => {
    const auth = authenticator({}, { keys: [], remote: 'awaited' });
    expect(await refusal(await sign('{}'), auth)).toMatchObject({ status: 503, code: 'EDGE012' });
    expect(await auth.authenticate(null)).toMatchObject({ role: 'anon' });
  });

  test('verify as any', async () => {
    const { auth, token } = await remote();
    expect(await auth.authenticate(await token({ kid: 'known' }))).toMatchObject({ role: 'alice' });
    expect(await auth.authenticate(await token({}))).toMatchObject({ role: 'alice' });
  });

  test('that lack the one of a token are told from bad tokens', async () => {
    const { auth, token } = await remote();
    const error = await refusal(await token({ kid: 'new' }), auth);
    expect(error).toBeInstanceOf(UnknownKeyError);
    expect(error).toMatchObject({
      kid: 'new',
      status: 401,
      code: 'PGRST301',
      headers: [[expect.any(String), expect.any(String)]],
    });
    const { token: stranger } = await remote();
    expect(await refusal(await stranger({}), auth)).toMatchObject({ kid: null });
  });

  test('are not looked for because of what no key can make good', async () => {
    const { auth, token } = await remote();
    const { token: stranger } = await remote();
    const bad = [
      await stranger({ kid: 'known' }),
      await token({ kid: 'x'.repeat(501) }),
      await sign('{}', { alg: 'none', kid: 'new' }),
      await sign('{}', { alg: 'HS256', kid: 'new' }),
      `${await token({ kid: 'new' })}.x`,
      '',
    ];
    for (const each of bad) expect(await refusal(each, auth)).not.toBeInstanceOf(UnknownKeyError);
    const own = authenticator();
    expect(await refusal(await sign('{}', { alg: 'HS256', kid: 'new' }), own)).not.toBeInstanceOf(UnknownKeyError);
  });

  test('never verify a symmetric signature', async () => {
    const { auth } = await remote();
    expect(await refusal(await sign('{"role":"alice"}', { alg: 'HS256', kid: 'known' }), auth)).toMatchObject({
      code: 'PGRST301',
    });
  });
});

describe('where the pooler keeps the key', () => {
  const withheld: KeySet = { keys: [], withheld: 'other keys, another text' };
  const unproven = (claims: string, key = secret) => sign(claims, { alg: 'HS256' }, key);

  test('what a token says is unproven, until the pooler has accepted it', async () => {
    const auth = authenticator({}, withheld);
    const token = await unproven('{"role":"alice"}', new TextEncoder().encode('any other key of thirty-two byte'));
    const identity = { role: 'alice', claims: '{"role":"alice"}', authenticated: true };
    expect(await auth.authenticate(token)).toEqual({ ...identity, unproven: true });
    expect(await auth.authenticate(token)).toEqual({ ...identity, unproven: true });
    auth.accepted(token);
    expect(auth.authenticate(token)).toEqual(identity);
  });

  test.each(['{"role":"alice","exp":1}', '{"exp":"soon"}', '[1]', '{'])('%s says nothing', async (claims) => {
    const auth = authenticator({}, withheld);
    const token = await unproven(claims);
    const nobody = { role: '', claims: '{}', authenticated: true, unproven: true };
    expect(await auth.authenticate(token)).toEqual(nobody);
    auth.accepted(token);
    expect(await auth.authenticate(token)).toEqual(nobody);
  });

  test('tokens of other keys are verified here', async () => {
    const { publicKey, privateKey } = await generateKeyPair('ES256', { extractable: true });
    const auth = authenticator({}, { ...withheld, keys: [await published(publicKey)] });
    const token = (key: CryptoKey) => new SignJWT({ role: 'alice' }).setProtectedHeader({ alg: 'ES256' }).sign(key);
    expect(await auth.authenticate(await token(privateKey))).not.toHaveProperty('unproven');
    const stranger = await generateKeyPair('ES256');
    expect(await refusal(await token(stranger.privateKey), auth)).toMatchObject({ status: 401, code: 'PGRST301' });
  });

  test('a token that is none is refused here', async () => {
    for (const token of ['', 'a.b', 'a.!.c', 'e30.e30.x', `${base64url.encode('{"alg":"none"}')}.e30.`]) {
      expect(await refusal(token, authenticator({}, withheld))).toMatchObject({ status: 401, code: 'PGRST301' });
    }
  });
});
