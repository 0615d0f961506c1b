import { describe, expect, test } from 'vitest';
import { refusal, request } from './request.fixture.ts';

const target = { schema: 'public', name: 't' };

describe('actions', () => {
  test.each([
    ['GET', { kind: 'read', target, headersOnly: false }],
    ['HEAD', { kind: 'read', target, headersOnly: true }],
    ['POST', { kind: 'mutate', target, mutation: 'create' }],
    ['PUT', { kind: 'mutate', target, mutation: 'single-upsert' }],
    ['PATCH', { kind: 'mutate', target, mutation: 'update' }],
    ['DELETE', { kind: 'mutate', target, mutation: 'delete' }],
    ['OPTIONS', { kind: 'relation-info', target }],
  ])('%s of a relation', (method, action) => {
    expect(request(method, '/t', { body: '{}' }).action).toEqual(action);
  });

  test.each([
    ['GET', { kind: 'call', target, invocation: 'read' }],
    ['HEAD', { kind: 'call', target, invocation: 'head' }],
    ['POST', { kind: 'call', target, invocation: 'call' }],
    ['OPTIONS', { kind: 'routine-info', target }],
  ])('%s of a routine', (method, action) => {
    expect(request(method, '/rpc/t').action).toEqual(action);
  });

  test.each([
    ['PUT', '/rpc/t', 'PGRST101', 'Cannot use the PUT method on RPC'],
    ['get', '/rpc/t', 'PGRST101', 'Cannot use the get method on RPC'],
    ['TRACE', '/t', 'PGRST117', 'Unsupported HTTP method: TRACE'],
    ['POST', '/', 'PGRST117', 'Unsupported HTTP method: POST'],
  ])('%s %s', (method, path, code, message) => {
    expect(refusal(() => request(method, path))).toMatchObject({ status: 405, code, message, details: null });
  });
});

describe('schemas', () => {
  const settings = { dbSchemas: ['v1', 'é'] };

  test('one schema is not named, several are', () => {
    expect(request('GET', '/t')).toMatchObject({ schema: 'public', negotiatedByProfile: false });
    expect(request('GET', '/t', { settings })).toMatchObject({ schema: 'v1', negotiatedByProfile: true });
  });

  test('reads name theirs with Accept-Profile, writes with Content-Profile', () => {
    const accept = [['accept-profile', '\u00c3\u00a9']] as const;
    const content = [['content-profile', '\u00c3\u00a9']] as const;
    expect(request('GET', '/t', { settings, headers: accept })).toMatchObject({ schema: 'é' });
    expect(request('GET', '/t', { settings, headers: content })).toMatchObject({ schema: 'v1' });
    expect(request('POST', '/t', { settings, headers: content, body: '{}' }).action).toMatchObject({
      target: { schema: 'é', name: 't' },
    });
    expect(request('DELETE', '/t', { settings, headers: accept })).toMatchObject({ schema: 'v1' });
  });

  test('one that is not exposed', () => {
    const headers = [['accept-profile', 'secret']] as const;
    expect(refusal(() => request('GET', '/t', { settings, headers }))).toMatchObject({
      status: 406,
      code: 'PGRST106',
      message: 'Invalid schema: secret',
      details: null,
      hint: 'Only the following schemas are exposed: v1, é',
    });
  });
});

test('the first error in PostgREST’s order wins', () => {
  const bad = [['content-profile', 'x']] as const;
  const code = (method: string, path: string, headers: readonly (readonly [string, string])[]): string =>
    refusal(() => request(method, path, { headers, body: '{' })).code;
  expect(code('PUT', '/rpc/a/b?select=a(&limit=-1', bad)).toBe('PGRST125');
  expect(code('PUT', '/rpc/a?select=a(&limit=-1', bad)).toBe('PGRST106');
  expect(code('PUT', '/rpc/a?select=a(&limit=-1', [])).toBe('PGRST101');
  expect(code('PUT', '/a?select=a(&limit=-1', [])).toBe('PGRST100');
  expect(code('PUT', '/a?limit=-1', [])).toBe('PGRST103');
  expect(code('PUT', '/a?limit=1', [])).toBe('PGRST114');
  expect(code('PUT', '/a', [])).toBe('PGRST102');
});

test('what was sent stays visible', () => {
  const headers = [
    ['x', '1'],
    ['content-type', 'text/csv'],
    ['accept', 'text/csv'],
  ] as const;
  expect(request('POST', '/t%20?a=eq.1', { headers, body: 'a\n1' })).toMatchObject({
    method: 'POST',
    path: '/t%20',
    headers,
    cookies: [],
    accept: [{ kind: 'csv' }],
    contentType: { kind: 'csv' },
    query: { canonical: 'a=eq.1' },
  });
});
