import { describe, expect, it } from 'vitest';
import { qualified } from '../../shared/sql/identifiers.ts';
import type { ApiRequest, Mutation, QueryParams } from '../request/types.ts';
import { embed, eq, errorOf, office, request, select, where } from './office.fixture.ts';
import { planRequest } from './plan.ts';
import type { MutatePlan } from './types.ts';

type More = Parameters<typeof request>[1];

const write = (mutation: Mutation, relation: string, query: Partial<QueryParams> = {}, more: More = {}): ApiRequest =>
  request(query, { action: { kind: 'mutate', target: qualified('test', relation), mutation }, ...more });

function planOf(r: ApiRequest): MutatePlan {
  const plan = planRequest(r, office());
  if (plan.kind !== 'mutate') throw new Error(`a ${plan.kind} plan`);
  return plan.write;
}

const json = { kind: 'json', body: new Uint8Array(), keys: [], isObject: true } as const;
const idIs = (value: string) => [{ path: [], filter: where('id', eq(value)) }];

describe('an insert', () => {
  it('has the columns of the payload with their types, defaults and conversions', () => {
    const columns = ['data', 'title'];
    expect(
      planOf(write('create', 'documents', {}, { columns, payload: json, preferences: { missing: 'default' } })),
    ).toMatchObject({
      kind: 'insert',
      target: { schema: 'test', name: 'documents' },
      columns: [
        { name: 'data', type: 'jsonb', default: null },
        { name: 'title', type: 'text', default: "'untitled'::text" },
      ],
      payload: { kind: 'json', isObject: true },
      onConflict: null,
      where: [],
      returning: [],
      primaryKey: ['id'],
      applyDefaults: true,
    });
    expect(planOf(write('create', 'todos', {}, { columns: ['color'], payload: json }))).toMatchObject({
      columns: [{ name: 'color', type: 'json', transform: 'public.color_from_json' }],
    });
  });

  it('upserts on the primary key, or on what the request names', () => {
    const more = { payload: json, preferences: { resolution: 'ignore-duplicates' } } as const;
    expect(planOf(write('create', 'clients', {}, more))).toMatchObject({
      onConflict: { resolution: 'ignore-duplicates', columns: ['id'] },
    });
    expect(planOf(write('create', 'clients', { onConflict: ['name'] }, more))).toMatchObject({
      onConflict: { columns: ['name'] },
    });
  });

  it('into a column that the table has not is PGRST204', () => {
    expect(errorOf(() => planOf(write('create', 'clients', {}, { columns: ['nope'], payload: json })))).toMatchObject({
      status: 400,
      code: 'PGRST204',
      message: "Could not find the 'nope' column of 'clients' in the schema cache",
      fromSnapshot: true,
    });
  });
});

describe('what a write returns', () => {
  const returning = (items: QueryParams['select'], representation: 'representation' | 'minimal' | 'headers-only') =>
    planOf(write('update', 'projects', { select: items }, { payload: json, preferences: { representation } }))
      .returning;

  it('is nothing unless asked for', () => {
    expect(returning([select('*')], 'minimal')).toEqual([]);
    expect(planOf(write('update', 'projects', {}, { payload: json })).returning).toEqual([]);
  });

  it('is what is selected, the primary key and the keys of embeds', () => {
    expect(returning([select('*')], 'representation')).toEqual(['*']);
    expect(returning([select('name')], 'headers-only')).toEqual(['id', 'name']);
    expect(returning([select('name'), embed('clients', [select('name')])], 'representation')).toEqual([
      'client_id',
      'id',
      'name',
    ]);
    expect(returning([select('name'), embed('main_client', [select('name')])], 'representation')).toEqual(['*']);
  });
});

describe('conditions', () => {
  it('of updates and deletes are the root filters and all logic trees', () => {
    const tree = { kind: 'filter', filter: where('name', eq('x')) } as const;
    const query = {
      select: [select('*'), embed('projects', [select('*')])],
      filters: [...idIs('1'), { path: ['projects'], filter: where('id', eq('2')) }],
      logic: [
        { path: ['projects'], tree },
        { path: [], tree },
      ],
    };
    const plan = planRequest(write('delete', 'clients', query), office());
    expect(plan).toMatchObject({
      write: {
        kind: 'delete',
        where: [{ field: { name: 'id' } }, { field: { name: 'name' } }, { field: { name: 'name' } }],
      },
      read: {
        from: { schema: '', name: 'pgrst_source' },
        fromAlias: 'clients',
        where: [],
        children: [{ where: [{ field: { name: 'name' } }, { field: { name: 'id' } }] }],
      },
    });
  });
});

describe('PUT', () => {
  const put = (query: Partial<QueryParams>, relation = 'clients') =>
    planOf(write('single-upsert', relation, query, { columns: ['id'], payload: json }));
  const allowed = { filters: idIs('1'), filterFields: ['id'] };

  it('is an upsert on the key that its filters give', () => {
    expect(put(allowed)).toMatchObject({
      kind: 'insert',
      onConflict: { resolution: 'merge-duplicates', columns: ['id'] },
      where: [{ field: { name: 'id' } }],
      primaryKey: [],
      applyDefaults: false,
    });
  });

  it.each<[string, Partial<QueryParams>, string?]>([
    ['no filter', {}],
    ['another column', { filters: [{ path: [], filter: where('name', eq('1')) }], filterFields: ['name'] }],
    ['more than the key', { filters: [...idIs('1'), ...idIs('2')], filterFields: ['id', 'name'] }],
    ['another operator', { ...allowed, filters: [{ path: [], filter: where('id', isIn('1')) }] }],
    ['a negation', { ...allowed, filters: [{ path: [], filter: where('id', eq('1'), true) }] }],
    ['a logic tree', { ...allowed, logic: [{ path: [], tree: { kind: 'filter', filter: where('id', eq('1')) } }] }],
    ['no primary key', { filters: [{ path: [], filter: where('body', eq('1')) }], filterFields: ['body'] }, 'notes'],
  ])('with %s is PGRST105', (_, query, relation) => {
    expect(errorOf(() => put(query, relation))).toMatchObject({ status: 405, code: 'PGRST105', fromSnapshot: false });
  });
});

function isIn(...values: readonly string[]) {
  return { kind: 'in', values } as const;
}
