/** The columns that a write or a call must return so that the read of its result can be made. */
import { compareText } from '../../shared/snapshot/order.ts';
import type { PlanLogic, ReadPlan } from './types.ts';

const sorted = (names: Iterable<string>): readonly string[] => [...new Set(names)].sort(compareText);

/** The columns of the parent that an embed is joined by; null when they cannot be known. */
function joinColumns({ relation: { toParent } }: ReadPlan): readonly string[] | null {
  if (!toParent) return [];
  if (toParent.kind === 'computed') return null;
  const { cardinality } = toParent;
  const pairs = cardinality.kind === 'many-to-many' ? cardinality.junction.sourceColumns : cardinality.columns;
  return pairs.map(([column]) => column);
}

/**
 * The selected columns, the keys that embeds are joined by and the primary key (for Location), sorted. `*` alone when
 * all are selected, since named ones would come twice, and for computed relationships, which take the whole row.
 */
export function returningColumns(read: ReadPlan, primaryKey: readonly string[]): readonly string[] {
  const names = read.select.map((s) => s.field.name);
  if (names.includes('*')) return ['*'];
  const joins = read.children.map(joinColumns);
  const known = joins.filter((columns) => columns !== null);
  if (known.length < joins.length) return ['*'];
  return sorted([...names, ...known.flat(), ...primaryKey]);
}

/** The names that the filters of a read and of all that is embedded in it use, sorted. */
export const filterNames = (read: ReadPlan): readonly string[] => sorted(namesIn(read));

const namesIn = (read: ReadPlan): readonly string[] => [
  ...read.where.flatMap(namesOf),
  ...read.children.flatMap(namesIn),
];

function namesOf(logic: PlanLogic): readonly string[] {
  switch (logic.kind) {
    case 'expression':
      return logic.children.flatMap(namesOf);
    case 'filter':
      return [logic.field.name];
    case 'null-embed':
      return [logic.alias];
    default:
      return logic satisfies never;
  }
}
