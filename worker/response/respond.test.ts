import { describe, expect, test } from 'vitest';
import { qualified } from '../../shared/sql/identifiers.ts';
import type { MediaType } from '../request/types.ts';
import { callPlan, read, readPlan, routine } from '../sql/testing/plans.ts';
import { respond } from './respond.ts';
import { plain, request, result, SETTINGS } from './testing/requests.ts';

const items = readPlan(read('items'));
const json = 'application/json; charset=utf-8';

describe('a read', () => {
  test('answers with the rows as they came', () => {
    const came = result('[{"id":1}]');
    const response = respond(items, request(), came, SETTINGS);
    expect(plain(response)).toEqual({
      status: 200,
      statusText: null,
      headers: {
        'Content-Range': '0-0/*',
        'Content-Location': '/items',
        'Content-Length': '10',
        'Content-Type': json,
        Vary: 'Accept, Prefer, Range',
      },
      body: '[{"id":1}]',
    });
    expect(response.body).toBe(came.body);
  });

  test('names its canonical query, and its schema where a profile chose it', () => {
    const query = { ...request().query, canonical: 'id=eq.1&select=%2A' };
    const response = respond(items, request({}, { query, negotiatedByProfile: true }), result('[]'), SETTINGS);
    expect(plain(response).headers).toMatchObject({
      'Content-Location': '/items?id=eq.1&select=%2A',
      'Content-Profile': 'api',
    });
  });

  test('gives names beyond ASCII as bytes, and keeps lines in one', () => {
    const target = qualified('api', '圍\r\nx: y');
    const { headers } = plain(respond(readPlan(read('x'), { target }), request(), result('[]'), SETTINGS));
    expect(headers['Content-Location']).toBe('/\u00e5\u009c\u008d  x: y');
  });

  test.each([
    [0n, '15', '15', 200, '0-14/15'],
    [0n, '10', '15', 206, '0-9/15'],
    [5n, '10', '15', 206, '5-14/15'],
    [15n, '0', '15', 206, '*/15'],
    [0n, '0', '0', 200, '*/0'],
    [0n, '0', null, 200, '*/*'],
    [5n, '2', null, 200, '5-6/*'],
  ])('from %d, %s of %s rows', (offset, page, total, status, range) => {
    const given = request({ count: 'exact' }, { topLevelRange: { offset, limit: 10n } });
    const response = plain(respond(items, given, result('[]', { page, total }), SETTINGS));
    expect([response.status, response.headers['Content-Range']]).toEqual([status, range]);
    expect(response.headers['Preference-Applied']).toBe('count=exact');
  });

  test('beyond the last row is an error with the headers of the read', () => {
    const given = request({ count: 'exact' }, { topLevelRange: { offset: 100n, limit: null } });
    const response = plain(respond(items, given, result('[]', { page: '0', total: '15' }), SETTINGS));
    expect(response).toEqual({
      status: 416,
      statusText: null,
      headers: {
        'Content-Range': '*/15',
        'Content-Location': '/items',
        'Content-Length': '147',
        'Content-Type': json,
        'Preference-Applied': 'count=exact',
        Vary: 'Accept, Prefer, Range',
      },
      body:
        '{"code":"PGRST103","details":"An offset of 100 was requested, but there are only 15 rows.",' +
        '"hint":null,"message":"Requested range not satisfiable"}',
    });
  });

  test('of the head alone has no body and no length', () => {
    const response = plain(respond({ ...items, headersOnly: true }, request(), result(''), SETTINGS));
    expect(response.body).toBeNull();
    expect(Object.keys(response.headers)).toEqual(['Content-Range', 'Content-Location', 'Content-Type', 'Vary']);
  });

  test('that must be singular is an error otherwise', () => {
    const singular = { ...items, mediaType: { kind: 'singular', stripped: false } } as const;
    expect(plain(respond(singular, request(), result('{}'), SETTINGS)).headers['Content-Type']).toBe(
      'application/vnd.pgrst.object+json; charset=utf-8',
    );
    expect(() => respond(singular, request(), result('{}', { page: '2' }), SETTINGS)).toThrow(
      expect.objectContaining({ status: 406, code: 'PGRST116', details: 'The result contains 2 rows' }),
    );
  });

  test('warns of relations that are named by their target in spite of an alias', () => {
    const tasks = read('tasks', {}, { alias: 'the_tasks', legacyTargetName: true });
    const plan = readPlan(read('projects', { children: [tasks] }));
    const warning =
      '299 PostgRESTv16.2 "Embedded resource was referenced by relation name even though it has an alias. This is ' +
      'deprecated and will stop working in a future release. Update `tasks` to `the_tasks` in query string filters, ' +
      'orders or limits."';
    expect(plain(respond(plan, request(), result('[]'), SETTINGS)).headers.Warning).toBe(warning);
    const silent = { ...SETTINGS, urlUseLegacyTargetNames: false };
    expect(plain(respond(plan, request(), result('[]'), silent)).headers).not.toHaveProperty('Warning');
  });
});

describe('counts', () => {
  const plan = (rows: number) => [JSON.stringify([{ Plan: { 'Plan Rows': rows } }])];
  const total = (count: 'planned' | 'estimated', counted: string | null, planned: number, maxRows: number | null) => {
    const came = result('[]', { page: '1', total: counted }, plan(planned));
    const response = plain(respond(items, request({ count }), came, { ...SETTINGS, dbMaxRows: maxRows }));
    return response.headers['Content-Range']?.split('/')[1];
  };

  test('planned are the planner’s', () => {
    expect(total('planned', null, 7, null)).toBe('7');
  });

  test('estimated are exact up to the maximum, then the larger', () => {
    expect(total('estimated', '3', 7, 3)).toBe('3');
    expect(total('estimated', '4', 7, 3)).toBe('7');
    expect(total('estimated', '4', 2, 3)).toBe('4');
    expect(total('estimated', '4', 7, null)).toBe('7');
  });
});

describe('the database decides', () => {
  test('on status and headers, whatever they are called', () => {
    const headers = '[{"x-a": "1"}, {"x-a": "2"}, {"content-TYPE": "text/html"}, {"vary": "*"}]';
    const response = respond(items, request(), result('[]', { status: '299', headers }), SETTINGS);
    expect(response.status).toBe(299);
    expect(response.headers.slice(3)).toEqual([
      ['x-a', '1'],
      ['x-a', '2'],
      ['content-TYPE', 'text/html'],
      ['vary', '*'],
    ]);
  });

  test.each([
    '{"a": "b"}',
    '[{"a": 1}]',
    '[{"a": "b", "c": "d"}]',
    '["a"]',
    'x',
    '[{"a": "b\\r\\nc: d"}]',
    '[{"a b": "c"}]',
    '[{}]',
    '[[]]',
  ])('not with headers like %s', (headers) => {
    expect(() => respond(items, request(), result('[]', { headers }), SETTINGS)).toThrow(
      expect.objectContaining({ status: 500, code: 'PGRST111' }),
    );
  });

  test.each(['abc', '-1', '99', '1000', ' 200'])('not with a status like %s', (status) => {
    expect(() => respond(items, request(), result('[]', { status }), SETTINGS)).toThrow(
      expect.objectContaining({ status: 500, code: 'PGRST112' }),
    );
  });
});

describe('a call', () => {
  const add = routine('add');

  test('answers like a read, without a location', () => {
    expect(plain(respond(callPlan(add), request(), result('3'), SETTINGS))).toMatchObject({
      status: 200,
      headers: { 'Content-Range': '0-0/*', 'Content-Length': '1', 'Content-Type': json, Vary: 'Accept, Prefer, Range' },
      body: '3',
    });
  });

  test('of a function without a result has no content', () => {
    const returns = { ...add.returns, type: qualified('pg_catalog', 'void') };
    const response = plain(respond(callPlan({ ...add, returns }), request(), result('null'), SETTINGS));
    expect(response.status).toBe(204);
    expect(response.body).toBeNull();
    expect(response.headers).toEqual({ 'Content-Range': '0-0/*', Vary: 'Accept, Prefer, Range' });
  });

  test('of the head alone may have no row at all', () => {
    const head = callPlan(add, {}, { invocation: 'head', access: 'read only' });
    const nothing = { ...result(''), statements: [{ rows: 0, columns: [] }], body: null, length: 0 };
    const response = plain(respond(head, request(), nothing, SETTINGS));
    expect(response.headers).toEqual({ 'Content-Range': '*/0', 'Content-Type': json, Vary: 'Accept, Prefer, Range' });
  });

  test('that only reads is checked against a strict limit afterwards', () => {
    const returns = { ...add.returns, set: true };
    const plan = callPlan({ ...add, returns }, {}, { access: 'read only' });
    const answer = (maxAffected: bigint, handling: 'strict' | 'lenient') =>
      respond(plan, request({ handling, maxAffected }), result('[1, 2]', { page: '2' }), SETTINGS).status;
    expect(() => answer(1n, 'strict')).toThrow(
      expect.objectContaining({ status: 400, code: 'PGRST124', details: 'The query affects 2 rows' }),
    );
    expect(answer(2n, 'strict')).toBe(200);
    expect(answer(1n, 'lenient')).toBe(200);
  });

  test('repeats a strict limit on affected rows', () => {
    const strict = request({ handling: 'strict', maxAffected: 3n, timezone: 'UTC' });
    expect(plain(respond(callPlan(add), strict, result('3'), SETTINGS)).headers['Preference-Applied']).toBe(
      'handling=strict, timezone=UTC, max-affected=3',
    );
    expect(plain(respond(items, strict, result('[]'), SETTINGS)).headers['Preference-Applied']).toBe(
      'handling=strict, timezone=UTC',
    );
  });
});

test('a plan is an answer by itself', () => {
  const mediaType: MediaType = { kind: 'plan', for: { kind: 'json' }, format: 'text', options: ['analyze', 'wal'] };
  const lines = { ...result('Aggregate\n'), statements: [{ rows: 1, columns: [null] }] };
  expect(plain(respond(readPlan(read('x'), { mediaType }), request(), lines, SETTINGS))).toMatchObject({
    status: 200,
    headers: {
      'Content-Length': '10',
      'Content-Type': 'application/vnd.pgrst.plan+text; for="application/json"; options=analyze|wal; charset=utf-8',
    },
    body: 'Aggregate\n',
  });
});

test('a stream is handed on untouched, or cancelled where it is not wanted', async () => {
  let cancelled = false;
  const stream = () =>
    new ReadableStream<Uint8Array>({
      cancel: () => {
        cancelled = true;
      },
    });
  const wanted = { ...result('[]'), body: stream(), length: 2 };
  expect(respond(items, request(), wanted, SETTINGS).body).toBe(wanted.body);
  expect(cancelled).toBe(false);
  const beyond = request({ count: 'exact' }, { topLevelRange: { offset: 9n, limit: null } });
  respond(items, beyond, { ...result('[]', { total: '1', page: '0' }), body: stream() }, SETTINGS);
  expect(cancelled).toBe(true);
  cancelled = false;
  expect(() => respond(items, request(), { ...result('[]', { status: 'x' }), body: stream() }, SETTINGS)).toThrow();
  expect(cancelled).toBe(true);
});
