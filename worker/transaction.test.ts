import { expect, test } from 'vitest';
import { request } from './request/request.fixture.ts';
import { documentRequest } from './transaction.ts';

const caller = { identity: { role: 'anon', claims: '{}', authenticated: false }, token: null, address: null };

function sent(headers: readonly (readonly [string, string])[]): { headers: unknown; cookies: unknown } {
  const plan = { kind: 'inspect', schema: 'public', headersOnly: false } as const;
  const transaction = documentRequest(plan, request('GET', '/', { headers }), caller, 'v1');
  return { headers: JSON.parse(transaction.headers), cookies: JSON.parse(transaction.cookies) };
}

test('headers and cookies are JSON objects of text', () => {
  expect(sent([])).toEqual({ headers: {}, cookies: {} });
  expect(
    sent([
      ['host', 'localhost'],
      ['x-quoted', 'a "b" \\ \t'],
      ['x-utf8', '\u00c3\u00bc'],
      ['x-no-utf8', '\u00ff'],
      ['__proto__', 'x'],
      ['cookie', 'a=1; "b"=2'],
    ]),
  ).toEqual({
    headers: JSON.parse(
      '{"host":"localhost","x-quoted":"a \\"b\\" \\\\ \\t","x-utf8":"ü","x-no-utf8":"\ufffd","__proto__":"x"}',
    ),
    cookies: { a: '1', '"b"': '2' },
  });
});

test('of equal names the last counts, be they few or many', () => {
  const pairs = (count: number) => [
    ...Array.from({ length: count }, (_, i) => [`x-${i}`, String(i)] as const),
    ['x-1', 'last'] as const,
  ];
  for (const count of [2, 40]) {
    const expected = Object.fromEntries(pairs(count));
    expect(sent(pairs(count)).headers).toEqual(expected);
    expect(expected['x-1']).toBe('last');
  }
});
