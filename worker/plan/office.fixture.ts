/** A small office as a snapshot, and requests about it, for the tests of planning. */

import { Schema } from '../../shared/snapshot/schema.ts';
import { plainSettings } from '../../shared/snapshot/settings.fixture.ts';
import type {
  Column,
  DetectedRelationship,
  Relationship,
  Routine,
  RoutineParameter,
  Snapshot,
  Table,
  WorkerSettings,
} from '../../shared/snapshot/types.ts';
import { qualified } from '../../shared/sql/identifiers.ts';
import type { ApiRequest, Field, Filter, Operation, QueryParams, SelectItem } from '../request/types.ts';
import { NO_PREFERENCES } from '../request/types.ts';

const column = (name: string, type = 'integer', more: Partial<Column> = {}): Column => ({
  name,
  type,
  baseType: type,
  nullable: true,
  default: null,
  ...more,
});

const table = (name: string, columns: readonly Column[], primaryKey: readonly string[] = ['id']): Table => ({
  schema: 'test',
  name,
  isView: false,
  insertable: true,
  updatable: true,
  deletable: true,
  primaryKey,
  columns,
});

const id = (name: string) => qualified('test', name);

/** A foreign key seen from both sides: `source.column` references `target.id`. */
function foreignKey(source: string, name: string, target: string): readonly DetectedRelationship[] {
  const constraint = `${source}_${name}_fkey`;
  const isSelf = source === target;
  const views = { tableIsView: false, foreignTableIsView: false };
  return [
    {
      kind: 'detected',
      table: id(source),
      foreignTable: id(target),
      isSelf,
      cardinality: { kind: 'many-to-one', constraint, columns: [[name, 'id']] },
      ...views,
    },
    {
      kind: 'detected',
      table: id(target),
      foreignTable: id(source),
      isSelf,
      cardinality: { kind: 'one-to-many', constraint, columns: [['id', name]] },
      ...views,
    },
  ];
}

const junction = (source: string, target: string): DetectedRelationship => ({
  kind: 'detected',
  table: id(source),
  foreignTable: id(target),
  isSelf: false,
  cardinality: {
    kind: 'many-to-many',
    junction: {
      table: id('users_tasks'),
      constraint1: `users_tasks_${source}_fkey`,
      constraint2: `users_tasks_${target}_fkey`,
      sourceColumns: [['id', `${source}_id`]],
      targetColumns: [['id', `${target}_id`]],
    },
  },
  tableIsView: false,
  foreignTableIsView: false,
});

const relationships: readonly Relationship[] = [
  ...foreignKey('projects', 'client_id', 'clients'),
  ...foreignKey('tasks', 'project_id', 'projects'),
  ...foreignKey('messages', 'sender', 'people'),
  ...foreignKey('messages', 'recipient', 'people'),
  ...foreignKey('people', 'boss', 'people'),
  junction('users', 'tasks'),
  junction('tasks', 'users'),
  {
    kind: 'computed',
    function: id('main_client'),
    table: id('projects'),
    foreignTable: id('clients'),
    tableAlias: id('projects'),
    toOne: true,
    isSelf: false,
  },
];

const tables: readonly Table[] = [
  table('clients', [column('id'), column('name', 'text')]),
  table('projects', [column('id'), column('name', 'text'), column('client_id')]),
  table('tasks', [column('id'), column('name', 'text'), column('project_id')]),
  table('users', [column('id'), column('name', 'text')]),
  table('users_tasks', [column('users_id'), column('tasks_id')], ['tasks_id', 'users_id']),
  table('people', [column('id'), column('name', 'text'), column('boss')]),
  table('messages', [column('id'), column('body', 'text'), column('sender'), column('recipient')]),
  table('documents', [
    column('id'),
    column('data', 'jsonb'),
    column('owner', 'person_record'),
    column('words', 'tsvector'),
    column('tokens', 'public.tokens', { baseType: 'tsvector' }),
    column('title', 'text', { default: "'untitled'::text" }),
  ]),
  table('todos', [column('id'), column('color', 'public.color', { baseType: 'integer' })]),
  table('notes', [column('body', 'text')], []),
];

const parameter = (name: string, type = 'integer', more: Partial<RoutineParameter> = {}): RoutineParameter => ({
  name,
  type,
  typeMaxLength: type,
  required: true,
  variadic: false,
  ...more,
});

const routine = (name: string, parameters: readonly RoutineParameter[], more: Partial<Routine> = {}): Routine => ({
  schema: 'test',
  name,
  parameters,
  returns: { set: false, kind: 'scalar', type: qualified('pg_catalog', 'int4'), isAlias: false, isValue: false },
  volatility: 'volatile',
  hasVariadic: false,
  isolation: null,
  settings: [],
  ...more,
});

const setOf = (name: string): Routine['returns'] => ({
  set: true,
  kind: 'composite',
  type: id(name),
  isAlias: false,
  isValue: false,
});

const routines: readonly Routine[] = [
  routine('add', [parameter('a'), parameter('b')], { volatility: 'immutable' }),
  routine('greet', [parameter('name', 'text', { required: false })]),
  routine('overloaded', []),
  routine('overloaded', [parameter('a'), parameter('b')]),
  routine('overloaded', [parameter('a'), parameter('b'), parameter('c', 'integer', { required: false })]),
  routine('by_body', [parameter('', 'json')]),
  routine('by_any_body', [parameter('', 'json')]),
  routine('by_any_body', [parameter('', 'jsonb')]),
  routine('by_text', [parameter('', 'text')]),
  routine('join', [parameter('sep', 'text'), parameter('parts', 'text[]', { variadic: true })], { hasVariadic: true }),
  routine('all_projects', [], { returns: setOf('projects'), volatility: 'stable' }),
];

export const settings: WorkerSettings = { ...plainSettings, dbSchemas: ['test'], dbAggregatesEnabled: true };

export const snapshot: Snapshot = {
  version: 'office',
  loadedAt: 0,
  serverVersion: 180000,
  tables,
  relationships,
  concealedOrigins: [{ table: id('customers'), schema: 'test' }],
  routines,
  representations: [
    { sourceType: 'public.color', targetType: 'json', function: 'public.color_to_json' },
    { sourceType: 'json', targetType: 'public.color', function: 'public.color_from_json' },
    { sourceType: 'text', targetType: 'public.color', function: 'public.color_from_text' },
  ],
  mediaHandlers: [],
  settings,
};

/** The office, with other settings or parts where a test needs them. */
export const office = (
  changed: Partial<Omit<Snapshot, 'settings'>> & { readonly settings?: Partial<WorkerSettings> } = {},
): Schema => new Schema({ ...snapshot, ...changed, settings: { ...settings, ...changed.settings } });

// ---- requests ----

export const field = (name: string, ...path: Field['path']): Field => ({ name, path });

export const select = (name: string, more: Partial<Extract<SelectItem, { kind: 'field' }>> = {}): SelectItem => ({
  kind: 'field',
  field: field(name),
  aggregate: null,
  aggregateCast: null,
  cast: null,
  alias: null,
  ...more,
});

type Embed = Exclude<SelectItem, { kind: 'field' }>;

export const embed = (relation: string, children: readonly SelectItem[], more: Partial<Embed> = {}): SelectItem => ({
  kind: 'relation',
  relation,
  alias: null,
  hint: null,
  joinType: null,
  children,
  ...more,
});

export const spread = (relation: string, children: readonly SelectItem[]): SelectItem =>
  embed(relation, children, { kind: 'spread' });

export const where = (name: string, operation: Operation, negated = false): Filter => ({
  field: field(name),
  expression: { negated, operation },
});

export const eq = (value: string): Operation => ({ kind: 'quant', operator: 'eq', quantifier: null, value });
export const isNull: Operation = { kind: 'is', value: 'null' };

const ALL = { offset: 0n, limit: null };

/** A request as the parser would make it; `query` and the rest replace its parts. A GET of clients by default. */
export function request(
  query: Partial<QueryParams> = {},
  {
    preferences,
    ...more
  }: Partial<Omit<ApiRequest, 'query' | 'preferences'>> & {
    readonly preferences?: Partial<ApiRequest['preferences']>;
  } = {},
): ApiRequest {
  return {
    action: { kind: 'read', target: id('clients'), headersOnly: false },
    method: 'GET',
    path: '/clients',
    schema: 'test',
    negotiatedByProfile: false,
    query: {
      canonical: '',
      params: [],
      ranges: [],
      order: [],
      logic: [],
      columns: null,
      select: [select('*')],
      filters: [],
      filterFields: [],
      onConflict: null,
      ...query,
    },
    topLevelRange: ALL,
    ranges: [{ path: [], range: ALL }],
    payload: null,
    columns: [],
    headers: [],
    cookies: [],
    accept: [{ kind: 'any' }],
    contentType: { kind: 'json' },
    ...more,
    preferences: { ...NO_PREFERENCES, ...preferences },
  };
}

/** A GET of a relation. */
export const get = (relation: string, query: Partial<QueryParams> = {}): ApiRequest =>
  request(query, { action: { kind: 'read', target: id(relation), headersOnly: false } });

/** The error that a function throws, as plain data. */
export function errorOf(f: () => unknown): unknown {
  try {
    f();
  } catch (error) {
    return error;
  }
  return null;
}
