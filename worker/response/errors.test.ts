import { describe, expect, test } from 'vitest';
import type { TransactionFailure } from '../../shared/hop/types.ts';
import { ApiError } from '../error.ts';
import { fromFailure, respondError } from './errors.ts';
import { plain } from './testing/requests.ts';

const database = (
  code: string,
  message = 'm',
  more: Partial<TransactionFailure & { kind: 'database' }> = {},
): TransactionFailure => ({ kind: 'database', code, message, detail: null, hint: null, statement: 0, ...more });

const errorOf = (failure: TransactionFailure, authenticated = true) => fromFailure(failure, { authenticated });

describe('an error as a response', () => {
  test('has a body with sorted keys and names its code in a header', () => {
    const details = [{ b: 'x', a: null }, 'é"\\\b\f\n\u0001'];
    const error = new ApiError(400, { code: 'PGRST100', message: 'no', details, hint: 'h' });
    expect(plain(respondError(error))).toEqual({
      status: 400,
      statusText: null,
      headers: {
        'Content-Type': 'application/json; charset=utf-8',
        'Content-Length': '105',
        'Proxy-Status': 'PostgREST; error=PGRST100',
      },
      body: '{"code":"PGRST100","details":[{"a":null,"b":"x"},"é\\"\\\\\\u0008\\u000c\\n\\u0001"],"hint":"h","message":"no"}',
    });
  });

  test('tells less with minimal verbosity', () => {
    const error = new ApiError(400, { code: 'X', message: 'm', details: 'd', hint: 'h' });
    expect(plain(respondError(error, 'minimal')).body).toBe('{"code":"X","message":"m"}');
  });

  test('says when to try again where the server is not available', () => {
    expect(plain(respondError(new ApiError(503, { code: 'X', message: 'm' }))).headers['Retry-After']).toBe('1');
    const own = new ApiError(503, { code: 'X', message: 'm' }, { headers: [['retry-after', '9']] });
    expect(respondError(own).headers.filter(([name]) => name.toLowerCase() === 'retry-after')).toEqual([
      ['retry-after', '9'],
    ]);
    expect(plain(respondError(new ApiError(500, { code: 'X', message: 'm' }))).headers).not.toHaveProperty(
      'Retry-After',
    );
  });

  test('cannot end a header', () => {
    const error = new ApiError(400, { code: 'a\r\nb: c', message: 'm' }, { statusText: 'Bad\r\nx: y' });
    const { headers, statusText } = plain(respondError(error));
    expect(headers['Proxy-Status']).toBe('PostgREST; error=a  b: c');
    expect(statusText).toBe('Bad  x: y');
  });
});

describe('a database error', () => {
  test.each([
    ['08006', 503],
    ['09000', 500],
    ['0L000', 403],
    ['0P000', 403],
    ['21000', 500],
    ['22012', 400],
    ['22023', 400],
    ['23502', 400],
    ['23503', 409],
    ['23505', 409],
    ['25006', 405],
    ['25P02', 500],
    ['28000', 403],
    ['2D000', 500],
    ['38000', 500],
    ['39000', 500],
    ['3B000', 500],
    ['40001', 500],
    ['42501', 403],
    ['42601', 400],
    ['42703', 400],
    ['42883', 404],
    ['42P01', 404],
    ['42P17', 500],
    ['53300', 503],
    ['53400', 500],
    ['54001', 500],
    ['55P03', 500],
    ['57014', 500],
    ['57P01', 503],
    ['58000', 500],
    ['F0000', 500],
    ['HV000', 500],
    ['P0001', 400],
    ['P0002', 500],
    ['XX000', 500],
    ['ZZ999', 400],
  ])('%s is %d', (code, status) => {
    const error = errorOf(database(code, 'what', { detail: 'd', hint: 'h' }));
    expect(error).toMatchObject({ status, code, message: 'what', details: 'd', hint: 'h' });
  });

  test('depends on its message', () => {
    expect(errorOf(database('21000', 'UPDATE requires a WHERE clause')).status).toBe(400);
    expect(errorOf(database('42883', 'function xmlagg(json) does not exist')).status).toBe(406);
    const role = errorOf(database('22023', 'role "x" does not exist', { statement: -1 }));
    expect([role.status, role.headers]).toEqual([401, [['WWW-Authenticate', 'Bearer']]]);
  });

  test('of privileges asks the anonymous to log in', () => {
    const anonymous = errorOf(database('42501'), false);
    expect([anonymous.status, anonymous.headers]).toEqual([401, [['WWW-Authenticate', 'Bearer']]]);
    expect(errorOf(database('42501'), true).headers).toEqual([]);
  });

  test.each([
    ['PT402', 402, 'Payment Required'],
    ['PT099', 500, null],
    ['PTABC', 500, null],
  ])('%s is status %d', (code, status, statusText) => {
    expect(errorOf(database(code, 'Payment Required'))).toMatchObject({ status, statusText, code });
  });
});

describe('a failed guard', () => {
  const guard = (text: string, statement: number | null = 1) =>
    errorOf(database('22P02', `invalid input syntax for type integer: "${text}"`, { statement }));

  test('is the error of what did not hold, with the number of rows', () => {
    expect(guard('edgerest guard PGRST116 4')).toMatchObject({
      status: 406,
      code: 'PGRST116',
      message: 'Cannot coerce the result to a single JSON object',
      details: 'The result contains 4 rows',
    });
    expect(guard('edgerest guard PGRST124 4')).toMatchObject({
      status: 400,
      code: 'PGRST124',
      message: 'Query result exceeds max-affected preference constraint',
      details: 'The query affects 4 rows',
    });
    expect(guard('edgerest guard PGRST115 0')).toMatchObject({
      status: 400,
      code: 'PGRST115',
      message: 'Payload values do not match URL in primary key column(s)',
      details: null,
    });
  });

  test('is nothing that another statement can say', () => {
    expect(guard('edgerest guard PGRST116 4', 0)).toMatchObject({ status: 400, code: '22P02' });
    expect(guard('edgerest guard PGRST116 4', null)).toMatchObject({ status: 400, code: '22P02' });
    expect(guard('something else')).toMatchObject({ status: 400, code: '22P02' });
  });
});

describe("RAISE SQLSTATE 'PGRST'", () => {
  const raise = (message: string, detail: string | null) => errorOf(database('PGRST', message, { detail }));
  const body = '{"code":"123","message":"ABC","details":"DEF","hint":"XYZ"}';

  test('makes the whole response', () => {
    const error = raise(body, '{"status":332,"status_text":"My Status","headers":{"X-Header":"str"}}');
    expect(plain(respondError(error))).toMatchObject({
      status: 332,
      statusText: 'My Status',
      headers: { 'Proxy-Status': 'PostgREST; error=123', 'X-Header': 'str' },
      body: '{"code":"123","details":"DEF","hint":"XYZ","message":"ABC"}',
    });
    expect(raise('{"code":"1","message":"m"}', '{"status":401,"headers":{}}')).toMatchObject({
      status: 401,
      statusText: null,
      headers: [],
      details: null,
      hint: null,
    });
  });

  test.each([
    ['INVALID', '{}', "Invalid JSON value for MESSAGE: 'INVALID'"],
    ['{"code":1,"message":"m"}', '{}', 'Invalid JSON value for MESSAGE: \'{"code":1,"message":"m"}\''],
    ['[]', '{}', "Invalid JSON value for MESSAGE: '[]'"],
    [body, 'INVALID', "Invalid JSON value for DETAIL: 'INVALID'"],
    [body, null, 'DETAIL is missing in the RAISE statement'],
    [body, '{"status":"400","headers":{}}', 'Invalid JSON value for DETAIL: \'{"status":"400","headers":{}}\''],
    [body, '{"status":400}', 'Invalid JSON value for DETAIL: \'{"status":400}\''],
    [body, '{"status":40,"headers":{}}', 'Invalid JSON value for DETAIL: \'{"status":40,"headers":{}}\''],
    [body, '{"status":400,"headers":{"a":"b\\nc: d"}}', expect.stringContaining('Invalid JSON value for DETAIL')],
  ])('%s with %s is not understood', (message, detail, details) => {
    expect(raise(message, detail)).toMatchObject({ status: 500, code: 'PGRST121', details });
  });
});

describe('other failures', () => {
  test.each<[TransactionFailure, number, string]>([
    [{ kind: 'admission', reason: 'timeout', message: 'x' }, 504, 'PGRST003'],
    [{ kind: 'admission', reason: 'full', message: 'x' }, 503, 'EDGE001'],
    [{ kind: 'unavailable', reason: 'connect', message: 'x', detail: 'refused' }, 503, 'PGRST000'],
    [{ kind: 'unavailable', reason: 'lost', message: 'x', detail: null }, 503, 'PGRST001'],
    [{ kind: 'unavailable', reason: 'no snapshot', message: 'x', detail: null }, 503, 'PGRST002'],
    [{ kind: 'unknown outcome', message: 'x' }, 502, 'EDGE002'],
    [{ kind: 'cancelled', message: 'x' }, 504, 'EDGE003'],
    [{ kind: 'refused', reason: 'secret', message: 'x', status: 401 }, 500, 'EDGE004'],
    [{ kind: 'refused', reason: 'version', message: 'x', status: 400 }, 500, 'EDGE004'],
    [{ kind: 'refused', reason: 'malformed', message: 'x', status: 400 }, 502, 'EDGE004'],
    [{ kind: 'refused', reason: 'size', message: 'x', status: 413 }, 413, 'EDGE005'],
    [{ kind: 'refused', reason: 'token', message: 'x', status: 401 }, 401, 'EDGE009'],
    [{ kind: 'refused', reason: 'role', message: 'x', status: 403 }, 403, 'EDGE007'],
    [{ kind: 'refused', reason: 'stopping', message: 'x', status: 503 }, 503, 'EDGE008'],
  ])('%o', (failure, status, code) => {
    const error = errorOf(failure);
    expect(error).toMatchObject({ status, code });
    // What the pooler or the network said is for the log.
    expect(JSON.stringify([error.message, error.hint, error.headers])).not.toContain('"x"');
  });
});
