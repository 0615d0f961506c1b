/** What statements may name: the relations, functions and types of a snapshot, as the worker writes them. */
import {
  type Column,
  type Routine,
  type Snapshot,
  type Table,
  targetSchema,
  type WorkerSettings,
} from '../../shared/snapshot/types.ts';
import { quoteIdent, quoteLiteral, quoteQualified } from '../../shared/sql/identifiers.ts';

/** A column of a payload. */
export interface PayloadColumn {
  /** The type that it is read from JSON as: its own, or json where a function of the database converts it. */
  readonly types: readonly string[];
  /** What stands for a missing key: the name as a literal and the default; null without a default. */
  readonly default: string | null;
}

const group = <T>(items: readonly T[], key: (item: T) => string): Map<string, T[]> => {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const k = key(item);
    const before = groups.get(k);
    if (before === undefined) groups.set(k, [item]);
    else before.push(item);
  }
  return groups;
};

const payloadColumn = ({ name, type, default: expression }: Column): PayloadColumn => ({
  types: type === 'json' ? [type] : [type, 'json'],
  default: expression === null ? null : `${quoteLiteral(name)}, ${expression}`,
});

export class Names {
  readonly settings: Pick<WorkerSettings, 'dbAggregatesEnabled' | 'dbPlanEnabled' | 'dbMaxRows'>;
  /** Starts of calls of functions that convert: a column to JSON, a text to a column's type, JSON to it. */
  readonly outputs: readonly string[];
  readonly inputs: readonly string[];
  readonly payloads: readonly string[];
  readonly #tables: ReadonlyMap<string, Table>;
  readonly #junctions: ReadonlyMap<string, ReadonlySet<string>>;
  readonly #computed: ReadonlyMap<string, ReadonlySet<string>>;
  readonly #routines: ReadonlyMap<string, readonly Routine[]>;
  readonly #handlers: ReadonlyMap<string, ReadonlySet<string>>;
  readonly #columns = new WeakMap<Table, ReadonlyMap<string, PayloadColumn>>();

  constructor(snapshot: Snapshot) {
    const { tables, relationships, routines, representations, mediaHandlers, settings } = snapshot;
    this.settings = settings;
    const exposed = new Set(settings.dbSchemas);
    this.#tables = new Map(tables.map((table) => [quoteQualified(table), table]));
    const junctions = new Map<string, Set<string>>();
    const computed = new Map<string, Set<string>>();
    for (const r of relationships) {
      if (!exposed.has(targetSchema(r))) continue;
      if (r.kind === 'computed') {
        const name = quoteQualified(r.function);
        const rows = computed.get(name) ?? new Set();
        computed.set(name, rows.add(quoteQualified(r.table)));
      } else if (r.cardinality.kind === 'many-to-many') {
        const name = quoteQualified(r.foreignTable);
        const tables = junctions.get(name) ?? new Set();
        junctions.set(name, tables.add(quoteQualified(r.cardinality.junction.table)));
      }
    }
    this.#junctions = junctions;
    this.#computed = computed;
    this.#routines = group(routines, quoteQualified);
    const conversions = (end: 'sourceType' | 'targetType', type: string): readonly string[] => [
      ...new Set(representations.filter((r) => r[end] === type).map((r) => `${r.function}(`)),
    ];
    this.outputs = conversions('targetType', 'json');
    this.inputs = conversions('sourceType', 'text');
    this.payloads = conversions('sourceType', 'json');
    const handlers = new Map<string, Set<string>>();
    for (const handler of mediaHandlers) {
      const name = quoteQualified(handler.function);
      const targets = handlers.get(name) ?? new Set();
      handlers.set(name, targets.add(handler.target === null ? '' : quoteQualified(handler.target)));
    }
    this.#handlers = handlers;
  }

  /** A table or view of the exposed schemas. */
  table(name: string): Table | undefined {
    return this.#tables.get(name);
  }

  /** Whether the rows of a table are found through that one, by a many-to-many relationship. */
  isJunction(name: string, table: string): boolean {
    return this.#junctions.get(table)?.has(name) === true;
  }

  /** Whether the function computes a relationship of rows of that relation. */
  computesFrom(name: string, rows: string): boolean {
    return this.#computed.get(name)?.has(rows) === true;
  }

  routines(name: string): readonly Routine[] {
    return this.#routines.get(name) ?? [];
  }

  /** Whether the function makes a body of the rows of that relation or function; '' stands for any rows. */
  handles(name: string, rows: string): boolean {
    return this.#handlers.get(name)?.has(rows) === true;
  }

  /** The columns of a table by their quoted names. */
  columns(table: Table): ReadonlyMap<string, PayloadColumn> {
    let columns = this.#columns.get(table);
    if (columns === undefined) {
      columns = new Map(table.columns.map((column) => [quoteIdent(column.name), payloadColumn(column)]));
      this.#columns.set(table, columns);
    }
    return columns;
  }
}
