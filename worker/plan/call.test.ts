import { describe, expect, it } from 'vitest';
import { qualified } from '../../shared/sql/identifiers.ts';
import type { Action, ApiRequest, QueryParams } from '../request/types.ts';
import { embed, eq, errorOf, office, request, select, where } from './office.fixture.ts';
import { planRequest } from './plan.ts';
import type { Plan } from './types.ts';

type More = Parameters<typeof request>[1];
type Invocation = Extract<Action, { kind: 'call' }>['invocation'];

const call = (name: string, invocation: Invocation, query: Partial<QueryParams> = {}, more: More = {}): ApiRequest =>
  request(query, { action: { kind: 'call', target: qualified('test', name), invocation }, ...more });

const get = (name: string, params: readonly (readonly [string, string])[] = [], query: Partial<QueryParams> = {}) =>
  call(name, 'read', { params, ...query });

const post = (name: string, columns: readonly string[] = [], more: More = {}) =>
  call(
    name,
    'call',
    {},
    { columns, payload: { kind: 'json', body: new Uint8Array(), keys: columns, isObject: true }, ...more },
  );

function planOf(r: ApiRequest): Extract<Plan, { kind: 'call' }> {
  const plan = planRequest(r, office());
  if (plan.kind !== 'call') throw new Error(`a ${plan.kind} plan`);
  return plan;
}

describe('arguments', () => {
  it('of a GET come from the query, the last of a name', () => {
    const params = [
      ['a', '1'],
      ['b', '2'],
      ['a', '3'],
    ] as const;
    const { call: plan, access } = planOf(get('add', params));
    expect(plan).toMatchObject({
      target: { schema: 'test', name: 'add' },
      parameters: { kind: 'keyed', parameters: [{ name: 'a' }, { name: 'b' }] },
      returnsScalar: true,
      returnsSetOfScalar: false,
    });
    expect(plan.arguments).toEqual({
      kind: 'direct',
      values: new Map([
        ['a', '3'],
        ['b', '2'],
      ]),
    });
    expect(access).toBe('read only');
  });

  it('of a variadic parameter are a list, from the query and from a form', () => {
    const pairs = [
      ['parts', 'x'],
      ['sep', '-'],
      ['parts', 'y'],
    ] as const;
    const values = new Map<string, string | readonly string[]>([
      ['parts', ['x', 'y']],
      ['sep', '-'],
    ]);
    expect(planOf(get('join', pairs)).call.arguments).toEqual({ kind: 'direct', values });
    const form = {
      payload: { kind: 'urlencoded', pairs, keys: ['parts', 'sep'] },
      contentType: { kind: 'urlencoded' },
    } as const;
    expect(planOf(post('join', ['parts', 'sep'], form)).call.arguments).toEqual({ kind: 'direct', values });
  });

  it('of a POST are in the body; only those given are passed', () => {
    const plan = planOf(post('overloaded', ['a', 'b', 'c']));
    expect(plan.call.arguments).toEqual({ kind: 'payload', isObject: true });
    expect(plan.access).toBe('read write');
    expect(planOf(post('greet')).call.parameters).toEqual({ kind: 'keyed', parameters: [] });
  });

  it('are the body for a single unnamed parameter of its type', () => {
    expect(planOf(post('by_body', ['x'])).call.parameters).toMatchObject({
      kind: 'positional',
      parameter: { type: 'json' },
    });
    const text = { contentType: { kind: 'text' }, payload: { kind: 'raw', body: new Uint8Array() } } as const;
    expect(planOf(post('by_text', [], text)).call.parameters).toMatchObject({ kind: 'positional' });
  });
});

describe('the rows of a function', () => {
  it('are read as those of the table that it returns', () => {
    const filters = [{ path: [], filter: where('name', eq('x')) }];
    const query = { select: [select('id'), embed('clients', [select('name')])], filters };
    const plan = planOf(get('all_projects', [], query));
    expect(plan.read).toMatchObject({
      from: { schema: '', name: 'pgrst_source' },
      fromAlias: 'projects',
      where: [{ field: { name: 'name', type: 'text' } }],
      children: [{ fromAlias: 'clients_1' }],
    });
    expect(plan.call).toMatchObject({
      returning: ['client_id', 'id'],
      filterFields: ['name'],
      returnsScalar: false,
      returnsSetOfScalar: false,
    });
    expect(planOf(call('all_projects', 'call')).access).toBe('read only');
  });
});

describe('a function that is not found', () => {
  it('is PGRST202 with the arguments that were searched for', () => {
    expect(
      errorOf(() =>
        planOf(
          get('add', [
            ['b', '1'],
            ['x', '2'],
            ['a', '3'],
          ]),
        ),
      ),
    ).toMatchObject({
      status: 404,
      code: 'PGRST202',
      message: 'Could not find the function test.add(a, b, x) in the schema cache',
      details:
        'Searched for the function test.add with parameters a, b, x, but no matches were found in the schema cache.',
      hint: 'Perhaps you meant to call the function test.add(a, b)',
      fromSnapshot: true,
    });
    expect(errorOf(() => planOf(get('gret')))).toMatchObject({
      message: 'Could not find the function test.gret without parameters in the schema cache',
      hint: 'Perhaps you meant to call the function test.greet',
    });
  });

  it('tells which single parameter would have taken the body', () => {
    expect(errorOf(() => planOf(post('add', ['a'])))).toMatchObject({
      details:
        'Searched for the function test.add with parameter a or with a single unnamed json/jsonb parameter, but no matches were found in the schema cache.',
    });
    const bytes = { contentType: { kind: 'octet-stream' } } as const;
    expect(errorOf(() => planOf(post('add', [], bytes)))).toMatchObject({
      message: 'Could not find the function test.add in the schema cache',
      details:
        'Searched for the function test.add with a single unnamed bytea parameter, but no matches were found in the schema cache.',
      hint: null,
    });
  });
});

it('several functions for the same arguments are PGRST203', () => {
  expect(errorOf(() => planOf(post('by_any_body', ['x'])))).toMatchObject({
    status: 300,
    code: 'PGRST203',
    message:
      'Could not choose the best candidate function between: test.by_any_body( => json), test.by_any_body( => jsonb)',
    fromSnapshot: true,
  });
  expect(
    errorOf(() =>
      planOf(
        get('overloaded', [
          ['a', '1'],
          ['b', '2'],
        ]),
      ),
    ),
  ).toMatchObject({ code: 'PGRST203' });
});

it('max-affected wants a set where handling is strict', () => {
  const preferences = { handling: 'strict', maxAffected: 1n } as const;
  expect(errorOf(() => planOf(post('add', ['a', 'b'], { preferences })))).toMatchObject({
    status: 400,
    code: 'PGRST128',
  });
  expect(planOf(call('all_projects', 'call', {}, { preferences })).kind).toBe('call');
  const lenient = { ...preferences, handling: null };
  expect(planOf(post('add', ['a', 'b'], { preferences: lenient })).kind).toBe('call');
});

it('OPTIONS finds the function that a call without arguments would', () => {
  const options = (name: string) => request({}, { action: { kind: 'routine-info', target: qualified('test', name) } });
  expect(planRequest(options('all_projects'), office())).toMatchObject({
    kind: 'routine-info',
    routine: { name: 'all_projects' },
  });
  expect(errorOf(() => planRequest(options('add'), office()))).toMatchObject({ code: 'PGRST202' });
});
