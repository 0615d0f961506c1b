import { describe, expect, it } from 'vitest';
import type { Schema } from '../../shared/snapshot/schema.ts';
import type { ApiRequest } from '../request/types.ts';
import { embed, eq, errorOf, field, get, isNull, office, request, select, spread, where } from './office.fixture.ts';
import { planRequest } from './plan.ts';
import type { ReadPlan } from './types.ts';

function readOf(r: ApiRequest, schema: Schema = office()): ReadPlan {
  const plan = planRequest(r, schema);
  if (!('read' in plan)) throw new Error(`a ${plan.kind} plan`);
  return plan.read;
}

const names = (read: ReadPlan): readonly string[] => read.children.map((c) => c.relation.alias ?? c.relation.name);
const ALL = { offset: 0n, limit: null };

describe('the select of a relation', () => {
  it('keeps columns, casts, aliases and names that the snapshot does not know', () => {
    const {
      select: fields,
      from,
      fromAlias,
    } = readOf(get('clients', { select: [select('id', { cast: 'text', alias: 'key' }), select('computed')] }));
    expect(from).toEqual({ schema: 'test', name: 'clients' });
    expect(fromAlias).toBeNull();
    expect(fields).toMatchObject([
      { field: { name: 'id', type: 'integer', transform: null }, cast: 'text', alias: 'key' },
      { field: { name: 'computed', type: '' }, cast: null, alias: null },
    ]);
  });

  it('names paths by their last key', () => {
    const key = (value: string) => ({ operator: '->', operand: { kind: 'key', value } }) as const;
    const index = { operator: '->>', operand: { kind: 'index', value: '2' } } as const;
    const { select: fields } = readOf(
      get('documents', {
        select: [
          select('data', { field: field('data', key('a'), index) }),
          select('owner', { field: field('owner', index) }),
          select('owner', { field: field('owner', key('b')), alias: 'c' }),
        ],
      }),
    );
    expect(fields).toMatchObject([
      { alias: 'a', field: { toJson: false } },
      { alias: 'owner', field: { toJson: true } },
      { alias: 'c', field: { toJson: true } },
    ]);
  });

  it('converts represented columns and names them out of a star', () => {
    const color = { field: { name: 'color', type: 'public.color', transform: 'public.color_to_json' }, alias: 'color' };
    expect(readOf(get('todos')).select).toMatchObject([{ field: { name: 'id' }, alias: null }, color]);
    expect(readOf(get('todos', { select: [select('color')] })).select).toMatchObject([color]);
    expect(readOf(get('clients')).select).toMatchObject([{ field: { name: '*' } }]);
  });
});

describe('filters', () => {
  it('stay in order, after logic trees', () => {
    const tree = { kind: 'filter', filter: where('id', eq('3')) } as const;
    const { where: conditions } = readOf(
      get('clients', {
        filters: [
          { path: [], filter: where('id', eq('1')) },
          { path: [], filter: where('id', eq('2')) },
        ],
        logic: [{ path: [], tree: { kind: 'expression', negated: true, operator: 'or', children: [tree] } }],
      }),
    );
    expect(conditions).toMatchObject([
      { kind: 'expression', negated: true, operator: 'or', children: [{ expression: { operation: { value: '3' } } }] },
      { kind: 'filter', expression: { operation: { value: '1' } } },
      { kind: 'filter', expression: { operation: { value: '2' } } },
    ]);
  });

  it('turn text into tsvector for full-text operators, but neither tsvectors nor unknown columns', () => {
    const fts = { kind: 'fts', operator: 'fts', language: 'german', value: 'x' } as const;
    const filters = ['title', 'words', 'tokens', 'computed'].map((name) => ({ path: [], filter: where(name, fts) }));
    const { where: conditions } = readOf(get('documents', { filters }));
    expect(conditions.map((c) => (c.kind === 'filter' ? c.field.toTsVector : c))).toEqual([
      { language: 'german' },
      null,
      null,
      null,
    ]);
  });

  it('read represented columns from text', () => {
    const { where: conditions } = readOf(get('todos', { filters: [{ path: [], filter: where('color', eq('#fff')) }] }));
    expect(conditions).toMatchObject([{ field: { type: 'text', transform: 'public.color_from_text' } }]);
  });

  it('on nothing embedded are PGRST108, the last one first', () => {
    const filters = ['a', 'b'].map((path) => ({ path: [path], filter: where('id', eq('1')) }));
    expect(errorOf(() => readOf(get('clients', { filters })))).toMatchObject({
      status: 400,
      code: 'PGRST108',
      message: "'b' is not an embedded resource in this request",
      details: null,
      hint: "Verify that 'b' is included in the 'select' query parameter.",
      fromSnapshot: false,
    });
  });
});

describe('embeds', () => {
  it('join to-one, to-many and junctions with aliases by depth', () => {
    const read = readOf(
      get('clients', {
        select: [
          select('id'),
          embed('projects', [select('*'), embed('tasks', [select('*'), embed('users', [select('*')])])]),
        ],
      }),
    );
    const [projects] = read.children;
    const [tasks] = projects?.children ?? [];
    const [users] = tasks?.children ?? [];
    expect(projects).toMatchObject({ from: { schema: 'test', name: 'projects' }, fromAlias: 'projects_1', depth: 1 });
    expect(projects?.relation).toMatchObject({
      aggregateAlias: 'clients_projects_1',
      joinConditions: [
        {
          left: { relation: { schema: '', name: 'projects_1' }, column: 'client_id' },
          right: { relation: { schema: 'test', name: 'clients' }, column: 'id' },
        },
      ],
    });
    expect(tasks?.relation.joinConditions).toEqual([
      {
        left: { relation: { schema: '', name: 'tasks_2' }, column: 'project_id' },
        right: { relation: { schema: '', name: 'projects_1' }, column: 'id' },
      },
    ]);
    expect(users).toMatchObject({ fromAlias: null, depth: 3 });
    expect(users?.relation.joinConditions).toEqual([
      {
        left: { relation: { schema: 'test', name: 'users_tasks' }, column: 'users_id' },
        right: { relation: { schema: 'test', name: 'users' }, column: 'id' },
      },
      {
        left: { relation: { schema: 'test', name: 'users_tasks' }, column: 'tasks_id' },
        right: { relation: { schema: '', name: 'tasks_2' }, column: 'id' },
      },
    ]);
    expect(read.relationSelect).toEqual([
      { kind: 'json', name: 'projects', alias: 'clients_projects_1', mode: 'array', empty: false },
    ]);
  });

  it('are objects to-one, and empty where nothing is selected in them or below', () => {
    const read = readOf(
      get('tasks', {
        select: [select('id'), embed('projects', [embed('clients', [])]), embed('users', [], { alias: 'u' })],
      }),
    );
    expect(read.relationSelect).toMatchObject([
      { name: 'projects', mode: 'object', empty: true },
      { name: 'u', alias: 'tasks_u_1', mode: 'array', empty: true },
    ]);
  });

  it('take the row of the parent for computed relationships', () => {
    const read = readOf(
      get('tasks', { select: [select('id'), embed('projects', [select('id'), embed('main_client', [select('*')])])] }),
    );
    const client = read.children[0]?.children[0];
    expect(client).toMatchObject({
      from: { schema: 'test', name: 'clients' },
      fromAlias: 'clients_2',
      relation: {
        name: 'main_client',
        aggregateAlias: 'projects_main_client_2',
        joinConditions: [],
        toParent: { kind: 'computed', tableAlias: { schema: '', name: 'projects_1' } },
      },
    });
  });

  it('are addressed by alias, move to the front then, and warn by target name', () => {
    const query = {
      select: [select('id'), embed('clients', [select('*')]), embed('tasks', [select('*')], { alias: 'todo' })],
      order: [
        { path: ['tasks'], terms: [{ kind: 'field', field: field('id'), direction: 'desc', nulls: null } as const] },
      ],
    };
    const byTarget = ({ children }: ReadPlan): unknown =>
      children.flatMap(({ relation: r }) => (r.legacyTargetName ? [[r.name, r.alias]] : []));
    const read = readOf(get('projects', query));
    expect(byTarget(read)).toEqual([['tasks', 'todo']]);
    expect(names(read)).toEqual(['todo', 'clients']);
    expect(read.children[0]?.order).toMatchObject([{ field: { name: 'id' }, direction: 'desc' }]);
    expect(
      errorOf(() => readOf(get('projects', query), office({ settings: { urlUseLegacyTargetNames: false } }))),
    ).toMatchObject({
      code: 'PGRST108',
      message: "'tasks' is not an embedded resource in this request",
      details: 'Target names are not allowed in filters if they have an alias',
      hint: "Change 'tasks' to 'todo' in filters, orders or limits.",
    });
    const byAlias = { ...query, order: query.order.map((o) => ({ ...o, path: ['todo'] })) };
    expect(byTarget(readOf(get('projects', byAlias)))).toEqual([]);
  });

  it('are filtered by null on their answer name only, also inside of logic trees', () => {
    const tree = { kind: 'filter', filter: where('p', isNull, true) } as const;
    const { where: conditions } = readOf(
      get('clients', {
        select: [select('id'), embed('projects', [], { alias: 'p' })],
        filters: [
          { path: [], filter: where('p', isNull) },
          { path: [], filter: where('projects', isNull) },
          { path: [], filter: where('p', eq('1')) },
        ],
        logic: [{ path: [], tree: { kind: 'expression', negated: false, operator: 'or', children: [tree] } }],
      }),
    );
    expect(conditions).toMatchObject([
      { kind: 'expression', children: [{ kind: 'null-embed', negated: true, alias: 'clients_p_1' }] },
      { kind: 'null-embed', negated: false, alias: 'clients_p_1' },
      { kind: 'filter', field: { name: 'projects' } },
      { kind: 'filter', field: { name: 'p' } },
    ]);
  });

  it('order their parent when they are to-one', () => {
    const order = (relation: string) => [
      {
        path: [],
        terms: [{ kind: 'relation', relation, field: field('name'), direction: null, nulls: null } as const],
      },
    ];
    const related = { select: [select('id'), embed('clients', [])], order: order('clients') };
    expect(readOf(get('projects', related)).order).toMatchObject([
      { kind: 'relation', relation: 'projects_clients_1' },
    ]);
    expect(errorOf(() => readOf(get('projects', { ...related, order: order('x') })))).toMatchObject({
      code: 'PGRST108',
    });
    const toMany = { select: [select('id'), embed('tasks', [], { alias: 't' })], order: order('t') };
    expect(errorOf(() => readOf(get('projects', toMany)))).toMatchObject({
      code: 'PGRST118',
      message: "A related order on 't' is not possible",
      details: "'projects' and 't' do not form a many-to-one or one-to-one relationship",
    });
  });
});

describe('ranges', () => {
  const ranges = [
    { path: [], range: { offset: 5n, limit: null } },
    { path: ['projects'], range: { offset: 0n, limit: 3n } },
  ];
  const query = { select: [select('id'), embed('projects', [select('*')])] };

  it('go to their level and are bounded by db-max-rows on every level', () => {
    const read = readOf(request(query, { ranges }), office({ settings: { dbMaxRows: 2 } }));
    expect([read.range, read.children[0]?.range]).toEqual([
      { offset: 5n, limit: 2n },
      { offset: 0n, limit: 2n },
    ]);
    expect(readOf(request(query, { ranges })).children[0]?.range).toEqual({ offset: 0n, limit: 3n });
  });

  it("of several embeds put these in the order of their names' hashes", () => {
    const embeds = [embed('main_client', []), embed('clients', []), embed('tasks', [])];
    const limited = ['main_client', 'clients', 'tasks'].map((name) => ({
      path: [name],
      range: { offset: 0n, limit: 1n },
    }));
    const action = { kind: 'read', target: { schema: 'test', name: 'projects' }, headersOnly: false } as const;
    const read = readOf(
      request({ select: [select('id'), ...embeds] }, { ranges: [{ path: [], range: ALL }, ...limited], action }),
    );
    expect(names(read)).toEqual(['tasks', 'clients', 'main_client']);
  });

  it('limit=0 stays', () => {
    const none = [{ path: [], range: { offset: 0n, limit: 0n } }];
    expect(readOf(request({}, { ranges: none }), office({ settings: { dbMaxRows: 2 } })).range).toEqual(none[0]?.range);
  });

  it('are not for writes', () => {
    const action = { kind: 'mutate', target: { schema: 'test', name: 'clients' }, mutation: 'delete' } as const;
    const read = readOf(request(query, { ranges, action }), office({ settings: { dbMaxRows: 2 } }));
    expect([read.range, read.children[0]?.range]).toEqual([ALL, ALL]);
  });
});

describe('aggregates', () => {
  const sum = select('id', { aggregate: 'sum' });

  it('are refused unless allowed, wherever they are', () => {
    const closed = office({ settings: { dbAggregatesEnabled: false } });
    for (const items of [[sum], [embed('projects', [sum])], [spread('projects', [sum])]]) {
      expect(errorOf(() => readOf(get('clients', { select: items }), closed))).toMatchObject({
        status: 400,
        code: 'PGRST123',
      });
    }
  });

  it('name the columns of a star that they are grouped by, and those of stars below', () => {
    const read = readOf(get('projects', { select: [select('*'), sum, embed('clients', [select('*')])] }));
    expect(read.select.map((s) => s.field.name)).toEqual(['id', 'name', 'client_id', 'id']);
    expect(read.children[0]?.select.map((s) => s.field.name)).toEqual(['id', 'name']);
    const count = readOf(get('projects', { select: [select('*', { aggregate: 'count' })] }));
    expect(count.select).toMatchObject([{ field: { name: '*', fullRow: false }, aggregate: 'count', alias: null }]);
  });

  it('are lifted out of to-one spreads, through any number of them', () => {
    const read = readOf(
      get('tasks', {
        select: [
          select('name'),
          spread('projects', [
            select('name', { alias: 'project' }),
            spread('clients', [sum, select('*', { aggregate: 'count' })]),
          ]),
        ],
      }),
    );
    const none = { aggregate: null, aggregateCast: null, alias: null };
    expect(read.relationSelect).toEqual([
      {
        kind: 'spread',
        alias: 'tasks_projects_1',
        fields: [
          { name: 'project', ...none },
          { name: 'sum', aggregate: 'sum', aggregateCast: null, alias: 'sum' },
          { name: 'count', aggregate: 'count', aggregateCast: null, alias: 'count' },
        ],
      },
    ]);
    const clients = read.children[0]?.children[0];
    expect(clients?.select).toMatchObject([
      { field: { name: 'id' }, aggregate: null, alias: 'sum' },
      { field: { name: '*', fullRow: true }, aggregate: null, alias: 'count' },
    ]);
    expect(clients?.relation.spread).toEqual({ kind: 'to-one' });
  });

  it('are not implemented in to-many spreads', () => {
    const error = { status: 400, code: 'PGRST127', details: expect.stringContaining('one-to-many or many-to-many') };
    const direct = [spread('projects', [sum])];
    expect(errorOf(() => readOf(get('clients', { select: direct })))).toMatchObject(error);
    const lifted = [spread('tasks', [spread('projects', [sum])])];
    expect(errorOf(() => readOf(get('users', { select: lifted })))).toMatchObject(error);
  });
});

describe('to-many spreads', () => {
  it('carry their order into the arrays and select what it needs', () => {
    const read = readOf(
      get('clients', {
        select: [select('name'), spread('projects', [select('*'), embed('main_client', [])])],
        order: [
          {
            path: ['projects'],
            terms: [
              { kind: 'field', field: field('id'), direction: 'desc', nulls: null },
              { kind: 'relation', relation: 'main_client', field: field('name'), direction: null, nulls: 'nullslast' },
            ],
          },
        ],
      }),
    );
    const [projects] = read.children;
    expect(projects?.order).toEqual([]);
    expect(projects?.select.map((s) => s.field.name)).toEqual(['id', 'name', 'client_id']);
    expect(projects?.relation.spread).toMatchObject({
      kind: 'to-many',
      extraSelect: [
        { relation: null, field: { field: { name: 'id' }, alias: 'clients_projects_1_id_1' } },
        {
          relation: 'projects_main_client_2',
          field: { field: { name: 'name', toJson: false }, alias: 'clients_projects_1_name_2' },
        },
      ],
      order: [
        { field: { name: 'clients_projects_1_id_1' }, direction: 'desc', nulls: null },
        { field: { name: 'clients_projects_1_name_2' }, direction: null, nulls: 'nullslast' },
      ],
    });
  });
});
