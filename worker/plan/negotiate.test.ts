import { describe, expect, it } from 'vitest';
import { qualified } from '../../shared/sql/identifiers.ts';
import type { MediaType } from '../request/types.ts';
import { errorOf, office, request, select } from './office.fixture.ts';
import { planRequest } from './plan.ts';

const clients = qualified('test', 'clients');
const handlers = [
  { target: clients, mediaType: 'image/png', function: qualified('test', 'png') },
  { target: qualified('test', 'users'), mediaType: '*/*', function: qualified('test', 'anything') },
  { target: null, mediaType: 'text/csv', function: qualified('test', 'own_csv') },
  { target: null, mediaType: 'Text/Markdown', function: qualified('test', 'markdown') },
];

type More = NonNullable<Parameters<typeof request>[1]>;

function negotiated(
  accept: readonly MediaType[],
  more: More = {},
  query = {},
  schema = office({ mediaHandlers: handlers }),
) {
  const plan = planRequest(request(query, { accept, ...more }), schema);
  return 'handler' in plan ? [plan.handler, plan.mediaType] : null;
}

const json: MediaType = { kind: 'json' };
const other = (name: string): MediaType => ({ kind: 'other', name });
const of = (relation: string): More => ({
  action: { kind: 'read', target: qualified('test', relation), headersOnly: false },
});

describe('the first acceptable media type', () => {
  it('is json for any', () => {
    expect(negotiated([{ kind: 'any' }])).toEqual([json, json]);
    expect(negotiated([other('no/such'), json])).toEqual([json, json]);
  });

  it('is made by a relation, by any element, or built in, in this order', () => {
    expect(negotiated([other('image/png')])).toEqual([
      { kind: 'custom', function: qualified('test', 'png'), target: clients },
      other('image/png'),
    ]);
    expect(negotiated([{ kind: 'csv' }])).toMatchObject([
      { kind: 'custom', function: { name: 'own_csv' } },
      { kind: 'csv' },
    ]);
    expect(negotiated([other('text/markdown')])).toMatchObject([{ kind: 'custom' }, other('Text/Markdown')]);
    expect(negotiated([{ kind: 'geojson' }])).toEqual([{ kind: 'geojson' }, { kind: 'geojson' }]);
    expect(negotiated([json], of('users'))).toMatchObject([
      { function: { name: 'anything' } },
      { kind: 'octet-stream' },
    ]);
  });

  it("is a relation's own only for whole rows", () => {
    expect(errorOf(() => negotiated([other('image/png')], {}, { select: [select('id')] }))).toMatchObject({
      status: 406,
      code: 'PGRST107',
    });
    expect(negotiated([json], of('users'), { select: [select('id')] })).toEqual([json, json]);
  });

  it('may be a vendored one, which nothing overrides', () => {
    expect(negotiated([{ kind: 'singular', stripped: true }], of('users'))).toEqual([
      { kind: 'singular', stripped: true },
      { kind: 'singular', stripped: true },
    ]);
    expect(negotiated([{ kind: 'array-stripped' }])).toEqual([{ kind: 'array-stripped' }, { kind: 'array-stripped' }]);
  });

  it('may be a plan where that is allowed, of what else would be made', () => {
    const plan: MediaType = { kind: 'plan', for: { kind: 'csv' }, format: 'json', options: ['analyze', 'wal'] };
    const open = office({ settings: { dbPlanEnabled: true } });
    expect(negotiated([plan], {}, {}, open)).toEqual([{ kind: 'csv' }, plan]);
    expect(errorOf(() => negotiated([plan]))).toMatchObject({
      message:
        'None of these media types are available: application/vnd.pgrst.plan+json; for="text/csv"; options=analyze|wal',
    });
    const nested: MediaType = { ...plan, for: plan };
    expect(errorOf(() => negotiated([nested], {}, {}, open))).toMatchObject({ code: 'PGRST107' });
  });
});

describe('no body is made', () => {
  it('for HEAD', () => {
    expect(negotiated([json], { action: { kind: 'read', target: clients, headersOnly: true } })).toEqual([
      { kind: 'none' },
      json,
    ]);
  });

  it('for a write unless a representation is asked for', () => {
    const action = { kind: 'mutate', target: clients, mutation: 'delete' } as const;
    expect(negotiated([json], { action })).toEqual([{ kind: 'none' }, json]);
    expect(negotiated([json], { action, preferences: { representation: 'headers-only' } })).toEqual([
      { kind: 'none' },
      json,
    ]);
    expect(negotiated([json], { action, preferences: { representation: 'representation' } })).toEqual([json, json]);
  });
});

describe('the root', () => {
  it('is an OpenAPI document and nothing else', () => {
    const action = { kind: 'inspect', schema: 'test', headersOnly: false } as const;
    expect(planRequest(request({}, { action, accept: [other('a/b'), { kind: 'openapi' }] }), office())).toEqual(action);
    expect(errorOf(() => planRequest(request({}, { action, accept: [{ kind: 'csv' }] }), office()))).toMatchObject({
      code: 'PGRST107',
      message: 'None of these media types are available: text/csv',
    });
  });
});
