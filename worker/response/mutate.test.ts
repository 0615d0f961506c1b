import { describe, expect, test } from 'vitest';
import { qualified } from '../../shared/sql/identifiers.ts';
import type { Preferences } from '../request/types.ts';
import { insert, mutatePlan } from '../sql/testing/plans.ts';
import { respond } from './respond.ts';
import { plain, type Row, request, result, SETTINGS } from './testing/requests.ts';

const json = 'application/json; charset=utf-8';
const vary = 'Accept, Prefer, Range';
const create = mutatePlan(insert('items', []));
const put = mutatePlan(insert('items', []), { mutation: 'single-upsert' });
const remove = mutatePlan({ kind: 'delete', target: qualified('api', 'items'), where: [], returning: [] });
const update = mutatePlan({
  kind: 'update',
  target: qualified('api', 'items'),
  columns: [],
  payload: { kind: 'json', isObject: true },
  where: [],
  returning: [],
  applyDefaults: false,
});

const answer = (plan: typeof create, preferences: Partial<Preferences>, row: Row = {}, body = '[{"id":1}]') =>
  plain(respond(plan, request(preferences), result(body, row), SETTINGS));

const full = { representation: 'representation' } as const;

describe('an insert', () => {
  test('without representation', () => {
    expect(answer(create, {}, {}, '')).toEqual({
      status: 201,
      statusText: null,
      headers: { 'Content-Length': '0', 'Content-Range': '*/*', Vary: vary },
      body: null,
    });
  });

  test('with representation and count', () => {
    expect(answer(create, { ...full, count: 'exact' })).toEqual({
      status: 201,
      statusText: null,
      headers: {
        'Content-Length': '10',
        'Content-Range': '*/1',
        'Preference-Applied': 'return=representation, count=exact',
        'Content-Type': json,
        Vary: vary,
      },
      body: '[{"id":1}]',
    });
  });

  test('tells where the row is', () => {
    const location = '["id=eq.圍棋 (1)", "a=b=is.null"]';
    const { headers } = answer(create, { representation: 'headers-only' }, { location });
    expect(headers).toMatchObject({
      Location: '/items?id=eq.%E5%9C%8D%E6%A3%8B%20%281%29&a=b%3Dis.null',
      'Preference-Applied': 'return=headers-only',
    });
    expect(answer(create, { representation: 'headers-only' }, { location: null }).headers).not.toHaveProperty(
      'Location',
    );
  });

  test.each([
    ['merge-duplicates', '2', 201],
    ['merge-duplicates', '0', 200],
    ['merge-duplicates', '-1', 200],
    ['merge-duplicates', null, 200],
    ['ignore-duplicates', '', 201],
    [null, '', 201],
  ] as const)('with resolution %s and %s inserted', (resolution, inserted, status) => {
    expect(answer(create, { resolution }, { inserted }).status).toBe(status);
  });

  test('repeats a resolution only where there is a key', () => {
    const preferences = { resolution: 'merge-duplicates', missing: 'default', transaction: 'commit' } as const;
    expect(answer(create, preferences).headers['Preference-Applied']).toBe(
      'resolution=merge-duplicates, missing=default, tx=commit',
    );
    const keyless = mutatePlan(insert('items', [], { primaryKey: [] }));
    expect(answer(keyless, preferences).headers['Preference-Applied']).toBe('missing=default, tx=commit');
  });
});

test('an update', () => {
  expect(answer(update, {}, { page: '3' })).toEqual({
    status: 204,
    statusText: null,
    headers: { 'Content-Range': '0-2/*', Vary: vary },
    body: null,
  });
  expect(answer(update, { ...full, count: 'exact', missing: 'null' }, { page: '0' }, '[]')).toEqual({
    status: 200,
    statusText: null,
    headers: {
      'Content-Range': '*/0',
      'Preference-Applied': 'missing=null, return=representation, count=exact',
      'Content-Length': '2',
      'Content-Type': json,
      Vary: vary,
    },
    body: '[]',
  });
});

test('a deletion', () => {
  expect(answer(remove, { representation: 'minimal', missing: 'null', resolution: 'merge-duplicates' })).toEqual({
    status: 204,
    statusText: null,
    headers: { 'Content-Range': '*/*', 'Preference-Applied': 'return=minimal', Vary: vary },
    body: null,
  });
  expect(answer(remove, full)).toMatchObject({ status: 200, headers: { 'Content-Length': '10' }, body: '[{"id":1}]' });
});

test('a PUT', () => {
  expect(answer(put, {}, { inserted: '1' })).toEqual({
    status: 204,
    statusText: null,
    headers: { Vary: vary },
    body: null,
  });
  expect(answer(put, full, { inserted: '1' }).status).toBe(201);
  expect(answer(put, full, { inserted: '0' })).toEqual({
    status: 200,
    statusText: null,
    headers: {
      'Preference-Applied': 'return=representation',
      'Content-Length': '10',
      'Content-Type': json,
      Vary: vary,
    },
    body: '[{"id":1}]',
  });
});
