import { expect, test } from 'vitest';
import { mounted } from './base-path.ts';
import type { RawRequest } from './types.ts';

const at = (target: string): RawRequest => ({ method: 'GET', target, headers: [], body: new Uint8Array(0) });

test.each([
  ['/rest/v1', '/'],
  ['/rest/v1/', '/'],
  ['/rest/v1?a=/b', '/?a=/b'],
  ['/rest/v1/items?id=eq.1', '/items?id=eq.1'],
  ['/rest/v1/rpc/f', '/rpc/f'],
  ['/rest/v1//items', '//items'],
  ['http://host/rest/v1/items', '/items'],
])('%s is %s below /rest/v1', (target, below) => {
  expect(mounted(at(target), '/rest/v1').target).toBe(below);
});

test.each(['/', '/items', '/rest', '/rest/v10/items', '/rest/v1items', '/REST/v1/items', '/x?/rest/v1/items'])(
  '%s is not below /rest/v1',
  (target) => {
    expect(() => mounted(at(target), '/rest/v1')).toThrow(expect.objectContaining({ status: 404, code: 'EDGE010' }));
  },
);

test('without a base the request is the same', () => {
  const request = at('/items');
  expect(mounted(request, '')).toBe(request);
});
