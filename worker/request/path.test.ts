import { describe, expect, test } from 'vitest';
import { splitTarget } from './path.ts';
import { refusal, request } from './request.fixture.ts';

test.each([
  ['/a?b=1?c', { path: '/a', query: '?b=1?c' }],
  ['/a', { path: '/a', query: '' }],
  ['', { path: '/', query: '' }],
  ['?a', { path: '/', query: '?a' }],
  ['http://host:80/a/b?c', { path: '/a/b', query: '?c' }],
  ['https://host', { path: '/', query: '' }],
])('the target %j', (target, parts) => {
  expect(splitTarget(target)).toEqual(parts);
});

describe('resources', () => {
  test.each([
    ['/items', 'items'],
    ['/caf%C3%A9', 'café'],
    ['/caf\u00c3\u00a9', 'café'],
    ['/a%2Fb+c', 'a/b+c'],
    ['/rpc', 'rpc'],
    ['/%2e%2e', '..'],
  ])('relation %s', (path, name) => {
    expect(request('GET', path).action).toEqual({
      kind: 'read',
      target: { schema: 'public', name },
      headersOnly: false,
    });
  });

  test('a routine', () => {
    expect(request('POST', '/rpc/f%20g', { body: '{}' }).action).toEqual({
      kind: 'call',
      target: { schema: 'public', name: 'f g' },
      invocation: 'call',
    });
    expect(request('GET', '/%72pc/f').action.kind).toBe('call');
  });

  test.each(['/items/', '//', '/a/b', '/rpc/f/', '/rpc/f/g', '//items'])('%s is none', (path) => {
    expect(refusal(() => request('GET', path))).toMatchObject({
      status: 404,
      code: 'PGRST125',
      message: 'Invalid path specified in request URL',
      details: null,
    });
  });

  test('the root: the schema, a routine, or nothing', () => {
    expect(request('HEAD', '/').action).toEqual({ kind: 'inspect', schema: 'public', headersOnly: true });
    expect(request('OPTIONS', '/').action).toEqual({ kind: 'schema-info' });
    const dbRootSpec = { schema: 'x', name: 'root' };
    expect(request('GET', '/', { settings: { dbRootSpec } }).action).toEqual({
      kind: 'call',
      target: { schema: 'public', name: 'root' },
      invocation: 'read',
    });
    expect(refusal(() => request('GET', '/', { settings: { dbRootSpec, openapiMode: 'disabled' } }))).toMatchObject({
      status: 404,
      code: 'PGRST126',
      message: 'Root endpoint metadata is disabled',
    });
  });
});
