/** The description of the API at its root. */
import { expect, test } from 'vitest';
import { inEachMode } from './server.ts';

const member = (value: unknown, ...path: readonly string[]): unknown =>
  path.reduce<unknown>((found, name) => Reflect.get(Object(found), name), value);

const names = (value: unknown): readonly string[] => Object.keys(Object(value)).sort();

inEachMode(({ ask, newUser }) => {
  test('GET / shows what the caller may use', async () => {
    const anonymous = await ask('GET', '/');
    expect(anonymous.status).toBe(200);
    expect(anonymous.headers.get('Content-Type')).toBe('application/openapi+json; charset=utf-8');
    expect(anonymous.headers.get('Content-Length')).toBe(String(Buffer.byteLength(anonymous.text)));
    expect(anonymous.headers.get('Vary')).toBe('Accept, Prefer, Range');
    expect(member(anonymous.json, 'swagger')).toBe('2.0');
    expect(member(anonymous.json, 'definitions', 'user', 'properties', 'id')).toEqual({
      type: 'integer',
      format: 'int64',
      description: 'Note:\nThis is a Primary Key.<pk/>',
    });
    expect(names(member(anonymous.json, 'paths'))).toEqual(
      expect.arrayContaining(['/', '/post', '/user', '/rpc/login']),
    );

    const { token } = await newUser('describer');
    const user = await ask('GET', '/', { token, headers: { Accept: 'application/json' } });
    expect(user.status).toBe(200);
    expect(user.headers.get('Content-Type')).toBe('application/openapi+json; charset=utf-8');
    expect(names(member(user.json, 'paths'))).toContain('/post');
  });

  test('HEAD / has its headers alone; other types, tokens and schemas are refused as anywhere', async () => {
    const head = await ask('HEAD', '/');
    expect([head.status, head.text, head.headers.get('Content-Length')]).toEqual([200, '', null]);
    expect((await ask('GET', '/', { headers: { Accept: 'text/csv' } })).status).toBe(406);
    expect((await ask('GET', '/', { token: 'x.y.z' })).status).toBe(401);
    expect((await ask('GET', '/', { headers: { 'Accept-Profile': 'private' } })).status).toBe(406);
    expect((await ask('POST', '/', { body: {} })).status).toBe(405);
  });
});
