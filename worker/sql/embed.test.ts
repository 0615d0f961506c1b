import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { qualified } from '../../shared/sql/identifiers.ts';
import { createDatabase, type TestDatabase } from '../../test/postgres.ts';
import type { ReadPlan } from '../plan/types.ts';
import { condition, equals, facts, field, filter, manyToOne, read, SCHEMA, select } from './testing/plans.ts';
import { answerOf, type Runner, reader, runner } from './testing/run.ts';
import { SCRIPT } from './testing/schema.ts';

let database: TestDatabase;
let server: Runner;

beforeAll(async () => {
  database = await createDatabase('sql_embed', SCRIPT);
  server = runner(database.uri);
});

afterAll(async () => {
  await server?.end();
  await database?.drop();
});

const { row, body } = reader(() => server);

describe('embedding', () => {
  const client = (more: Partial<ReadPlan> = {}, relation: Partial<ReadPlan['relation']> = {}) =>
    read(
      'clients',
      { select: [select('name')], fromAlias: 'clients_1', depth: 1, ...more },
      {
        toParent: manyToOne('projects', 'clients'),
        joinConditions: [
          {
            left: { relation: qualified('', 'clients_1'), column: 'id' },
            right: { relation: qualified(SCHEMA, 'projects'), column: 'client_id' },
          },
        ],
        aggregateAlias: 'projects_clients_1',
        ...relation,
      },
    );
  const object = { kind: 'json', name: 'client', alias: 'projects_clients_1', mode: 'object', empty: false } as const;
  const projects = (child: ReadPlan, more: Partial<ReadPlan> = {}) =>
    read('projects', {
      select: [select('id')],
      relationSelect: [object],
      children: [child],
      order: [{ kind: 'field', field: field('id'), direction: null, nulls: null }],
      ...more,
    });

  test('to one gives an object, or null', async () => {
    const tree = projects(client(), { range: { offset: 3n, limit: null } });
    expect(await body(tree)).toBe('[{"id":4,"client":{"name": "Apple"}}, \n {"id":5,"client":null}]');
  });

  test('inner leaves out rows without, and the count too', async () => {
    const tree = projects(client({ where: [equals('name', 'Apple')] }, { joinType: 'inner' }), {
      range: { offset: 0n, limit: 1n },
    });
    const answer = await row(tree, facts({ count: 'exact' }, { topLevelRange: { offset: 0n, limit: 1n } }));
    expect(answerOf(answer)).toEqual(['2', '1', '[{"id":3,"client":{"name": "Apple"}}]']);
  });

  test('asked for presence', async () => {
    const range = { offset: 0n, limit: 1n };
    const given = facts({ count: 'exact' }, { topLevelRange: range });
    const present = (negated: boolean) =>
      projects(client(), { where: [{ kind: 'null-embed', negated, alias: 'projects_clients_1' }], range });
    expect(answerOf(await row(present(true), given))).toEqual(['4', '1', '[{"id":1,"client":{"name": "Microsoft"}}]']);
    expect(answerOf(await row(present(false), given))).toEqual(['1', '1', '[{"id":5,"client":null}]']);
  });

  test('ordered by a column of the other', async () => {
    const order = [
      {
        kind: 'relation',
        relation: 'projects_clients_1',
        field: { name: 'name', path: [] },
        direction: 'asc',
        nulls: null,
      },
      { kind: 'field', field: field('id'), direction: 'desc', nulls: null },
    ] as const;
    const rows = JSON.parse((await body(projects(client(), { order }))) ?? '') as { id: number }[];
    expect(rows.map((r) => r.id)).toEqual([4, 3, 2, 1, 5]);
  });

  test('to many gives an array, with its own order and range', async () => {
    const tasks = read(
      'tasks',
      {
        select: [select('name')],
        fromAlias: 'tasks_1',
        order: [{ kind: 'field', field: field('id'), direction: 'desc', nulls: null }],
        range: { offset: 0n, limit: 1n },
      },
      {
        joinConditions: [
          {
            left: { relation: qualified(SCHEMA, 'projects'), column: 'id' },
            right: { relation: qualified('', 'tasks_1'), column: 'project_id' },
          },
        ],
        aggregateAlias: 'projects_tasks_1',
      },
    );
    const selected = { kind: 'json', name: 'tasks', alias: 'projects_tasks_1', mode: 'array', empty: false } as const;
    const tree = projects(tasks, {
      relationSelect: [selected],
      where: [filter('id', { kind: 'in', values: ['1', '3'] })],
    });
    expect(await body(tree)).toBe('[{"id":1,"tasks":[{"name": "Code"}]}, \n {"id":3,"tasks":[]}]');
  });

  test('through a junction', async () => {
    const users = read(
      'users',
      { select: [select('name')], fromAlias: 'users_1' },
      {
        toParent: {
          kind: 'detected',
          table: qualified(SCHEMA, 'projects'),
          foreignTable: qualified(SCHEMA, 'users'),
          isSelf: false,
          tableIsView: false,
          foreignTableIsView: false,
          cardinality: {
            kind: 'many-to-many',
            junction: {
              table: qualified(SCHEMA, 'users_projects'),
              constraint1: 'a',
              constraint2: 'b',
              sourceColumns: [],
              targetColumns: [],
            },
          },
        },
        joinConditions: [
          condition(['users_projects', 'user_id'], ['users_1', 'id']),
          {
            left: { relation: qualified(SCHEMA, 'projects'), column: 'id' },
            right: { relation: qualified(SCHEMA, 'users_projects'), column: 'project_id' },
          },
        ],
        aggregateAlias: 'projects_users_1',
      },
    );
    const selected = { kind: 'json', name: 'users', alias: 'projects_users_1', mode: 'array', empty: false } as const;
    const tree = projects(users, { relationSelect: [selected], where: [equals('id', '2')] });
    expect(await body(tree)).toBe('[{"id":2,"users":[{"name": "Angela"}, {"name": "Michael"}]}]');
  });

  test('through a function', async () => {
    const computed = client(
      { from: qualified(SCHEMA, 'clients'), fromAlias: null },
      {
        toParent: {
          kind: 'computed',
          function: qualified(SCHEMA, 'main_client'),
          table: qualified(SCHEMA, 'projects'),
          foreignTable: qualified(SCHEMA, 'clients'),
          tableAlias: qualified('', 'projects'),
          toOne: true,
          isSelf: false,
        },
        joinConditions: [],
      },
    );
    expect(await body(projects(computed, { where: [equals('id', '3')] }))).toBe(
      '[{"id":3,"client":{"name": "Apple"}}]',
    );
  });

  test('spread to one lifts columns; an aggregate groups by the rest', async () => {
    const spread = {
      kind: 'spread',
      alias: 'projects_clients_1',
      fields: [{ name: 'name', aggregate: null, aggregateCast: null, alias: 'client' }],
    } as const;
    const one = client({}, { spread: { kind: 'to-one' } });
    expect(await body(projects(one, { relationSelect: [spread], where: [equals('id', '1')] }))).toBe(
      '[{"id":1,"client":"Microsoft"}]',
    );
    const counted = read('projects', {
      select: [
        select('*', { aggregate: 'count', alias: 'n' }),
        select('budget', { aggregate: 'sum', aggregateCast: 'int', alias: 'budget' }),
      ],
      relationSelect: [{ ...spread, fields: [{ name: 'name', aggregate: null, aggregateCast: null, alias: null }] }],
      children: [one],
      order: [
        {
          kind: 'relation',
          relation: 'projects_clients_1',
          field: { name: 'name', path: [] },
          direction: null,
          nulls: null,
        },
      ],
    });
    expect(await body(counted)).toBe(
      '[{"n":2,"budget":7,"name":"Apple"}, \n {"n":2,"budget":31,"name":"Microsoft"}, \n {"n":1,"budget":1,"name":null}]',
    );
  });

  test('spread to many gives arrays in the order asked for', async () => {
    const order = [{ kind: 'field', field: field('id'), direction: 'desc', nulls: null }] as const;
    const tasks = read(
      'tasks',
      { select: [select('name', { alias: 'tasks' })], fromAlias: 'tasks_1' },
      {
        joinConditions: [
          {
            left: { relation: qualified(SCHEMA, 'projects'), column: 'id' },
            right: { relation: qualified('', 'tasks_1'), column: 'project_id' },
          },
        ],
        aggregateAlias: 'projects_tasks_1',
        spread: { kind: 'to-many', extraSelect: [{ relation: null, field: select('id') }], order },
      },
    );
    const fields = [{ name: 'tasks', aggregate: null, aggregateCast: null, alias: null }];
    const tree = projects(tasks, {
      relationSelect: [{ kind: 'spread', alias: 'projects_tasks_1', fields }],
      where: [equals('id', '1')],
    });
    expect(await body(tree)).toBe('[{"id":1,"tasks":["Code", "Design"]}]');
  });
});
