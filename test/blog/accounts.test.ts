/** Who is let in as whom: sign-up, log-in, tokens good and bad, and what stays hidden. */
import { SignJWT } from 'jose';
import { expect, test } from 'vitest';
import { uniqueName } from '../postgres.ts';
import { inEachMode } from './server.ts';

const now = () => Math.floor(Date.now() / 1000);

inEachMode(({ ask, blog, newUser, sign }) => {
  test('sign-up returns the user, log-in a token for the user’s role', async () => {
    const email = `${uniqueName('eve')}@example.com`;
    const account = { email, password: 'correct horse', name: 'Eve', last_name: 'Moneypenny', age: 30 };
    const signup = await ask('POST', '/rpc/signup', { body: account });
    expect(signup).toMatchObject({
      status: 200,
      json: { id: expect.any(Number), name: 'Eve', last_name: 'Moneypenny', age: 30, paid: false },
    });
    const login = await ask('POST', '/rpc/login', { body: { email, password: 'correct horse' } });
    expect(login).toMatchObject({ status: 200, json: expect.stringMatching(/^[\w-]+\.[\w-]+\.[\w-]+$/) });
    const own = await ask('GET', '/post?published=is.false', { token: String(login.json) });
    expect(own).toMatchObject({ status: 200, json: [] });

    expect(await ask('POST', '/rpc/signup', { body: account })).toMatchObject({ status: 409, json: { code: '23505' } });
    const short = { ...account, email: `x${email}`, password: 'short' };
    expect(await ask('POST', '/rpc/signup', { body: short })).toMatchObject({ status: 400, json: { code: '22023' } });
  });

  test('a log-in that fails does not tell why', async () => {
    const { email } = await newUser('Fay');
    const wrong = await ask('POST', '/rpc/login', { body: { email, password: 'wrong' } });
    const unknown = await ask('POST', '/rpc/login', { body: { email: `x${email}`, password: 'wrong' } });
    expect(wrong).toMatchObject({
      status: 403,
      json: { code: '28P01', message: 'wrong e-mail address or password', details: null, hint: null },
    });
    expect([unknown.status, unknown.text]).toEqual([wrong.status, wrong.text]);
  });

  test('the demonstration users log in', async () => {
    for (const [email, password, drafts] of [
      ['ada@example.com', 'analytical engine', 'Diagram of development'],
      ['grace@example.com', 'nanoseconds', 'Eleven inches of wire'],
    ] as const) {
      const login = await ask('POST', '/rpc/login', { body: { email, password } });
      const answer = await ask('GET', '/post?published=is.false&select=title&id=lte.4', { token: String(login.json) });
      expect(answer.json).toEqual([{ title: drafts }]);
    }
  });

  test('without a token one is anon: reads, and no more', async () => {
    expect((await ask('GET', '/user?id=eq.1&select=name')).json).toEqual([{ name: 'Ada' }]);
    expect((await ask('GET', '/post?published=is.false')).json).toEqual([]);
    const attempts = [
      ask('POST', '/post', { body: { title: 'x' } }),
      ask('PATCH', '/post?id=eq.1', { body: { title: 'x' } }),
      ask('DELETE', '/post?id=eq.1'),
      ask('DELETE', '/user?id=eq.1'),
      ask('POST', '/user', { body: { name: 'x', paid: true } }),
    ];
    for (const answer of await Promise.all(attempts)) {
      expect(answer).toMatchObject({ status: 401, json: { code: '42501' } });
      expect(answer.headers.get('WWW-Authenticate')).toBe('Bearer');
    }
  });

  test('no request shows a password hash or the signing secret', async () => {
    const { token } = await newUser('Gil');
    const requests: [string, string, Record<string, string>][] = [
      ['GET', '/user', {}],
      ['GET', '/user?select=*,post(*)', {}],
      ['GET', '/account', {}],
      ['GET', '/settings', {}],
      ['GET', '/user?select=*,account(*)', {}],
      ['GET', '/user?select=password_hash', {}],
      ['GET', '/account', { 'Accept-Profile': 'private' }],
      ['POST', '/rpc/jwt', { 'Content-Profile': 'private' }],
    ];
    for (const [method, target, headers] of requests) {
      for (const ask1 of [{ headers }, { headers, token }]) {
        const answer = await ask(method, target, method === 'POST' ? { ...ask1, body: {} } : ask1);
        expect(answer.text).not.toMatch(/\$2a\$/);
        expect(answer.text).not.toContain(blog().jwtSecret);
        if (target.includes('account') || target.includes('settings'))
          expect(answer.status).toBeGreaterThanOrEqual(400);
      }
    }
  });

  test('a forged token is refused', async () => {
    const { id, token } = await newUser('Hal');
    const role = `blog_user_${id}`;
    const [header, payload, signature] = token.split('.');
    const none = Buffer.from('{"alg":"none"}').toString('base64url');
    const forged = [
      await sign({ role }, 'another secret that is long enough too'),
      await new SignJWT({ role }).setProtectedHeader({ alg: 'HS512' }).sign(new TextEncoder().encode('x'.repeat(64))),
      `${header}.${Buffer.from(JSON.stringify({ role: 'blog_user_1' })).toString('base64url')}.${signature}`,
      `${header}.${payload}.${'A'.repeat(43)}`,
      `${header}.${payload}.`,
      `${none}.${payload}.`,
      'not.a.token',
      'nonsense',
    ];
    for (const each of forged) {
      const answer = await ask('GET', '/post?published=is.false', { token: each });
      expect(answer, each).toMatchObject({ status: 401, json: { code: 'PGRST301' } });
      expect(answer.headers.get('WWW-Authenticate')).toMatch(/^Bearer error="invalid_token"/);
    }
  });

  test('a token counts between its times only', async () => {
    const { id } = await newUser('Ida');
    const role = `blog_user_${id}`;
    const status = async (claims: Record<string, unknown>) => {
      const answer = await ask('GET', '/user?limit=1', { token: await sign({ role, ...claims }) });
      return [answer.status, Reflect.get(Object(answer.json), 'code'), Reflect.get(Object(answer.json), 'message')];
    };
    expect((await status({ exp: now() + 60 }))[0]).toBe(200);
    expect(await status({ exp: now() - 60 })).toEqual([401, 'PGRST303', 'JWT expired']);
    expect(await status({ nbf: now() + 60 })).toEqual([401, 'PGRST303', 'JWT not yet valid']);
  });

  test('a token for a role that is not there, or that the API must not become, gives nothing', async () => {
    const unknown = await ask('GET', '/user', { token: await sign({ role: 'blog_user_999999' }) });
    expect(unknown).toMatchObject({ status: 401, json: { code: '22023' } });
    for (const role of ['postgres', 'authenticator', 'blog_accounts', 'pg_read_all_data', 'none', '']) {
      const answer = await ask('GET', '/user', { token: await sign({ role }) });
      expect(answer.status, role).toBeGreaterThanOrEqual(400);
      expect(answer.status, role).toBeLessThan(500);
      expect(answer.json, role).toMatchObject({ code: expect.any(String), message: expect.any(String) });
    }
    const without = await ask('GET', '/post?published=is.false', { token: await sign({ sub: '1' }) });
    expect(without).toMatchObject({ status: 200, json: [] }); // no role claim: anon
  });

  test('tokens take turns on the same connections and never leak into each other', async () => {
    const users = await Promise.all(['Jon', 'Kay', 'Lou'].map((name) => newUser(name)));
    await Promise.all(users.map(({ token }) => ask('POST', '/post', { token, body: { title: 'my draft' } })));
    const rounds = Array.from({ length: 60 }, (_, round) => users[round % users.length]);
    const answers = await Promise.all(
      rounds.map((user) => ask('GET', '/post?select=owner&published=is.false', user ? { token: user.token } : {})),
    );
    for (const [round, answer] of answers.entries()) {
      expect(answer.json).toEqual([{ owner: `blog_user_${rounds[round]?.id}` }]);
    }
  });
});
