import { describe, expect, test } from 'vitest';
import type { Table } from '../../shared/snapshot/types.ts';
import { routine } from '../sql/testing/plans.ts';
import { respondDocument, respondInfo } from './info.ts';
import { plain, request } from './testing/requests.ts';

const table: Table = {
  schema: 'api',
  name: 'items',
  isView: false,
  insertable: true,
  updatable: true,
  deletable: true,
  primaryKey: ['id'],
  columns: [],
};

const allow = (plan: Parameters<typeof respondInfo>[0]) => plain(respondInfo(plan)).headers.Allow;

describe('OPTIONS', () => {
  test('tells what a relation allows', () => {
    const of = (more: Partial<Table>) => allow({ kind: 'relation-info', table: { ...table, ...more } });
    expect(of({})).toBe('OPTIONS,GET,HEAD,POST,PUT,PATCH,DELETE');
    expect(of({ primaryKey: [] })).toBe('OPTIONS,GET,HEAD,POST,PATCH,DELETE');
    expect(of({ insertable: false, deletable: false })).toBe('OPTIONS,GET,HEAD,PATCH');
    expect(of({ insertable: false, updatable: false, deletable: false })).toBe('OPTIONS,GET,HEAD');
  });

  test('tells what a function and the root allow', () => {
    expect(allow({ kind: 'routine-info', routine: routine('f', { volatility: 'volatile' }) })).toBe('OPTIONS,POST');
    expect(allow({ kind: 'routine-info', routine: routine('f', { volatility: 'stable' }) })).toBe(
      'OPTIONS,GET,HEAD,POST',
    );
    expect(allow({ kind: 'schema-info' })).toBe('OPTIONS,GET,HEAD');
  });

  test('is for everybody', () => {
    expect(plain(respondInfo({ kind: 'schema-info' }))).toEqual({
      status: 200,
      statusText: null,
      headers: {
        'Content-Length': '0',
        'Access-Control-Allow-Origin': '*',
        Allow: 'OPTIONS,GET,HEAD',
        Vary: 'Accept, Prefer, Range',
      },
      body: null,
    });
  });
});

describe('the OpenAPI document', () => {
  const inspect = { kind: 'inspect', schema: 'api', headersOnly: false } as const;
  const document = { body: new TextEncoder().encode('{}'), length: 2 };

  test('has a type of its own and the schema', () => {
    expect(plain(respondDocument(inspect, request({}, { negotiatedByProfile: true }), document))).toEqual({
      status: 200,
      statusText: null,
      headers: {
        'Content-Type': 'application/openapi+json; charset=utf-8',
        'Content-Length': '2',
        'Content-Profile': 'api',
        Vary: 'Accept, Prefer, Range',
      },
      body: '{}',
    });
  });

  test('is not sent with its head alone', () => {
    const head = plain(respondDocument({ ...inspect, headersOnly: true }, request(), { body: null, length: 0 }));
    expect(head.body).toBeNull();
    expect(head.headers).not.toHaveProperty('Content-Length');
  });
});
