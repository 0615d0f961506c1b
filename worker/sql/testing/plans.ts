/** Plans and requests for tests, with everything that a test does not speak of left at its default. */

import type { Relationship, Routine, RoutineParameter } from '../../../shared/snapshot/types.ts';
import { qualified } from '../../../shared/sql/identifiers.ts';
import type {
  CallPlan,
  CoercibleField,
  JoinCondition,
  MutatePlan,
  Plan,
  PlanFilter,
  ReadPlan,
  SelectField,
} from '../../plan/types.ts';
import type { Operation, Preferences } from '../../request/types.ts';
import { NO_PREFERENCES } from '../../request/types.ts';
import type { DatabasePlan, Facts } from '../statements.ts';

export const SCHEMA = 'api';

export const field = (name: string, more: Partial<CoercibleField> = {}): CoercibleField => ({
  name,
  path: [],
  toJson: false,
  toTsVector: null,
  type: '',
  baseType: '',
  transform: null,
  default: null,
  fullRow: false,
  ...more,
});

export const select = (name: string, more: Partial<SelectField> = {}): SelectField => ({
  field: field(name),
  aggregate: null,
  aggregateCast: null,
  cast: null,
  alias: null,
  ...more,
});

export const filter = (
  target: string | CoercibleField,
  operation: Operation,
  negated = false,
): PlanFilter & { kind: 'filter' } => ({
  kind: 'filter',
  field: typeof target === 'string' ? field(target) : target,
  expression: { negated, operation },
});

export const equals = (name: string, value: string): PlanFilter =>
  filter(name, { kind: 'quant', operator: 'eq', quantifier: null, value });

export const read = (
  name: string,
  more: Partial<Omit<ReadPlan, 'relation'>> = {},
  relation: Partial<ReadPlan['relation']> = {},
): ReadPlan => ({
  select: [],
  from: qualified(SCHEMA, name),
  fromAlias: null,
  where: [],
  order: [],
  range: { offset: 0n, limit: null },
  relation: {
    name,
    alias: null,
    hint: null,
    joinType: null,
    toParent: null,
    joinConditions: [],
    aggregateAlias: '',
    spread: null,
    legacyTargetName: false,
    ...relation,
  },
  relationSelect: [],
  depth: 0,
  children: [],
  ...more,
});

/** What a write or a call returned, read as a relation. */
export const source = (more: Partial<Omit<ReadPlan, 'relation'>> = {}): ReadPlan =>
  read('pgrst_source', { from: qualified('', 'pgrst_source'), ...more });

export const condition = (left: readonly [string, string], right: readonly [string, string]): JoinCondition => ({
  left: { relation: qualified(SCHEMA, left[0]), column: left[1] },
  right: { relation: qualified('', right[0]), column: right[1] },
});

export const manyToOne = (table: string, foreignTable: string): Relationship => ({
  kind: 'detected',
  table: qualified(SCHEMA, table),
  foreignTable: qualified(SCHEMA, foreignTable),
  isSelf: false,
  cardinality: { kind: 'many-to-one', constraint: 'fk', columns: [] },
  tableIsView: false,
  foreignTableIsView: false,
});

export const facts = (preferences: Partial<Preferences> = {}, more: Partial<Facts> = {}): Facts => ({
  preferences: { ...NO_PREFERENCES, ...preferences },
  topLevelRange: { offset: 0n, limit: null },
  maxRows: null,
  ...more,
});

type Of<K extends DatabasePlan['kind']> = Plan & { kind: K };

export const readPlan = (tree: ReadPlan, more: Partial<Of<'read'>> = {}): Of<'read'> => ({
  kind: 'read',
  target: tree.from,
  read: tree,
  headersOnly: false,
  handler: { kind: 'json' },
  mediaType: { kind: 'json' },
  ...more,
});

export const mutatePlan = (write: MutatePlan, more: Partial<Of<'mutate'>> = {}): Of<'mutate'> => ({
  kind: 'mutate',
  target: write.target,
  mutation: write.kind === 'insert' ? 'create' : write.kind,
  read: source(),
  write,
  handler: { kind: 'json' },
  mediaType: { kind: 'json' },
  ...more,
});

export const insert = (
  table: string,
  columns: readonly CoercibleField[],
  more: Partial<MutatePlan & { kind: 'insert' }> = {},
): MutatePlan & { kind: 'insert' } => ({
  kind: 'insert',
  target: qualified(SCHEMA, table),
  columns,
  payload: { kind: 'json', isObject: true },
  onConflict: null,
  where: [],
  returning: ['*'],
  primaryKey: ['id'],
  applyDefaults: false,
  ...more,
});

export const parameter = (name: string, type: string, more: Partial<RoutineParameter> = {}): RoutineParameter => ({
  name,
  type,
  typeMaxLength: type,
  required: true,
  variadic: false,
  ...more,
});

export const routine = (name: string, more: Partial<Routine> = {}): Routine => ({
  schema: SCHEMA,
  name,
  parameters: [],
  returns: { set: false, kind: 'scalar', type: qualified('pg_catalog', 'int4'), isAlias: false, isValue: false },
  volatility: 'volatile',
  hasVariadic: false,
  isolation: null,
  settings: [],
  ...more,
});

export const callPlan = (
  called: Routine,
  call: Partial<CallPlan> = {},
  more: Partial<Of<'call'>> = {},
): Of<'call'> => ({
  kind: 'call',
  target: qualified(SCHEMA, called.name),
  invocation: 'call',
  routine: called,
  access: 'read write',
  read: source(),
  call: {
    target: qualified(SCHEMA, called.name),
    parameters: { kind: 'keyed', parameters: called.parameters },
    arguments: { kind: 'payload', isObject: true },
    returnsScalar: called.returns.kind === 'scalar' && !called.returns.set,
    returnsSetOfScalar: called.returns.kind === 'scalar' && called.returns.set,
    returnsValue: called.returns.isValue,
    filterFields: [],
    returning: [],
    ...call,
  },
  handler: { kind: 'json' },
  mediaType: { kind: 'json' },
  ...more,
});
