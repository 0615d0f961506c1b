import { describe, expect, test } from 'vitest';
import { readInteger } from './read-number.ts';
import { refusal, request } from './request.fixture.ts';

const all = { offset: 0n, limit: null };
const top = (method: string, query: string, range?: string) =>
  request(method, `/t${query}`, { headers: range === undefined ? [] : [['range', range]], body: '{}' }).topLevelRange;

describe('the top level', () => {
  test.each([
    ['', undefined, all],
    ['?limit=5', undefined, { offset: 0n, limit: 5n }],
    ['?offset=3', undefined, { offset: 3n, limit: null }],
    ['?limit=5&offset=3', undefined, { offset: 3n, limit: 5n }],
    ['?limit=0', undefined, { offset: 0n, limit: 0n }],
    ['?limit=x', undefined, all],
    ['?offset=-2', undefined, all],
    ['?limit=1&limit=2', undefined, { offset: 0n, limit: 2n }],
    ['?limit=123456789012345678901234567890', undefined, { offset: 0n, limit: 123456789012345678901234567890n }],
    ['', '0-19', { offset: 0n, limit: 20n }],
    ['', '10-', { offset: 10n, limit: null }],
    ['', '5-5', { offset: 5n, limit: 1n }],
    ['', 'items=0-19', all],
    ['', '-5', all],
    ['?limit=10', '5-', { offset: 5n, limit: 5n }],
    ['?limit=3', '0-19', { offset: 0n, limit: 3n }],
    ['?limit=0', '9-2', { offset: 0n, limit: 0n }],
  ])('%s with Range %s', (query, range, rows) => {
    expect(top('GET', query, range)).toEqual(rows);
  });

  test('only GET looks at the header', () => {
    expect(top('HEAD', '', '5-9')).toEqual(all);
    expect(top('POST', '', '9-5')).toEqual(all);
  });

  const negative = 'Limit should be greater than or equal to zero.';
  const crossed = 'The lower boundary must be lower than or equal to the upper boundary in the Range header.';
  test.each([
    ['?limit=-1', undefined, negative],
    ['?limit=0&offset=1', undefined, negative],
    ['?limit=x&offset=1', undefined, negative],
    ['', '9-5', crossed],
    ['?limit=5', '10-', undefined],
  ])('%s with Range %s is empty', (query, range, details) => {
    if (details === undefined) {
      // The intersection is kept as it comes: nothing of the limit is left beyond the header's start.
      expect(refusal(() => top('GET', query, range)).details).toBe(negative);
      return;
    }
    expect(refusal(() => top('GET', query, range))).toMatchObject({
      status: 416,
      code: 'PGRST103',
      message: 'Requested range not satisfiable',
      details,
    });
  });

  test.each(['?limit=1', '?offset=1', '?limit=0'])('PUT has none: %s', (query) => {
    expect(refusal(() => top('PUT', query))).toMatchObject({
      status: 400,
      code: 'PGRST114',
      message: 'limit/offset querystring parameters are not allowed for PUT',
    });
  });
});

describe('embedded levels', () => {
  test('each has its own', () => {
    const { ranges, query } = request('GET', '/t?a.limit=2&a.b.offset=3&limit=9&a.offset=1');
    expect(query.ranges).toContainEqual({ path: [], range: { offset: 0n, limit: 9n } });
    expect(ranges).toHaveLength(3);
    expect(ranges).toContainEqual({ path: [], range: { offset: 0n, limit: 9n } });
    expect(ranges).toContainEqual({ path: ['a'], range: { offset: 1n, limit: 2n } });
    expect(ranges).toContainEqual({ path: ['a', 'b'], range: { offset: 3n, limit: null } });
  });

  test('a malformed key is refused where ranges count', () => {
    expect(refusal(() => request('GET', '/t?:.limit=1')).message).toBe(
      '"failed to parse tree path (:.limit)" (line 1, column 1)',
    );
    expect(request('DELETE', '/t?:.limit=1').ranges).toEqual([{ path: [], range: all }]);
  });
});

test.each([
  ['5', 5n],
  [' 5\t', 5n],
  ['-5', -5n],
  ['- 5', -5n],
  ['(5)', 5n],
  ['( (-5) )', -5n],
  ['0x1F', 31n],
  ['0o17', 15n],
  ['007', 7n],
  ['', null],
  ['+5', null],
  ['5.0', null],
  ['1e3', null],
  ['--5', null],
  ['5 6', null],
  ['(5', null],
  ['-(5)', null],
  ['٣', null],
])('the number %j', (source, value) => {
  expect(readInteger(source)).toBe(value);
});
