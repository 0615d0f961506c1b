/** Look-ups over a snapshot. Indexes are made on first use: most requests touch few relations. */
import { identifierKey, type QualifiedIdentifier } from '../sql/identifiers.ts';
import {
  type DataRepresentation,
  type MediaHandler,
  type Relationship,
  type Routine,
  type Snapshot,
  type Table,
  targetSchema,
} from './types.ts';

function group<T>(items: readonly T[], key: (item: T) => string): ReadonlyMap<string, readonly T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const k = key(item);
    const list = groups.get(k);
    if (list) list.push(item);
    else groups.set(k, [item]);
  }
  return groups;
}

export class Schema {
  readonly snapshot: Snapshot;
  #tables: ReadonlyMap<string, Table> | null = null;
  #relationships: ReadonlyMap<string, readonly Relationship[]> | null = null;
  #routines: ReadonlyMap<string, readonly Routine[]> | null = null;
  #representations: ReadonlyMap<string, DataRepresentation> | null = null;
  #mediaHandlers: ReadonlyMap<string, readonly MediaHandler[]> | null = null;

  constructor(snapshot: Snapshot) {
    this.snapshot = snapshot;
  }

  get version(): string {
    return this.snapshot.version;
  }

  table(id: QualifiedIdentifier): Table | undefined {
    this.#tables ??= new Map(this.snapshot.tables.map((t) => [identifierKey(t), t]));
    return this.#tables.get(identifierKey(id));
  }

  /** The relationships of a source whose target is in `schema`; for computed ones, whose function is. */
  relationships(source: QualifiedIdentifier, schema: string): readonly Relationship[] {
    this.#relationships ??= group(this.snapshot.relationships, (r) => `${identifierKey(r.table)}\0${targetSchema(r)}`);
    return this.#relationships.get(`${identifierKey(source)}\0${schema}`) ?? [];
  }

  /** All overloads of a function. */
  routines(id: QualifiedIdentifier): readonly Routine[] {
    this.#routines ??= group(this.snapshot.routines, identifierKey);
    return this.#routines.get(identifierKey(id)) ?? [];
  }

  representation(sourceType: string, targetType: string): DataRepresentation | undefined {
    this.#representations ??= new Map(
      this.snapshot.representations.map((r) => [`${r.sourceType}\0${r.targetType}`, r]),
    );
    return this.#representations.get(`${sourceType}\0${targetType}`);
  }

  /** The custom handlers for a relation, or for any with null. */
  mediaHandlers(target: QualifiedIdentifier | null): readonly MediaHandler[] {
    const key = (id: QualifiedIdentifier | null): string => (id ? identifierKey(id) : '');
    this.#mediaHandlers ??= group(this.snapshot.mediaHandlers, (h) => key(h.target));
    return this.#mediaHandlers.get(key(target)) ?? [];
  }
}
