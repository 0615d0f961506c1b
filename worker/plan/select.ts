/** The select list of one relation: stars named out where they must be, and names for what PostgreSQL would not name. */
import type { ColumnIndex } from './columns.ts';
import { allOutputFields } from './fields.ts';
import type { CoercibleField, SelectField } from './types.ts';

/** `*` itself, not `*->path`. */
const isStar = (field: CoercibleField): boolean => field.name === '*' && field.path.length === 0;

/**
 * Replaces `*` by the relation's columns where a row as it is would not do: some column has a representation, or
 * (`grouped`) there are aggregates here or above, or the rows are spread as arrays. The count of a spread relation
 * counts its rows, not those that it is joined to.
 */
export function expandStars(
  select: readonly SelectField[],
  columns: ColumnIndex | null,
  grouped: boolean,
  spread: boolean,
): readonly SelectField[] {
  if (!grouped && !columns?.represented) return select;
  const isCount = (s: SelectField): boolean => spread && s.aggregate === 'count';
  const expands = select.some((s) => s.field.name === '*' && (s.aggregate === null || isCount(s)));
  if (!expands) return select;
  return select.flatMap((s) => {
    if (!isStar(s.field)) return [s];
    if (s.aggregate === null) return columns ? allOutputFields(columns).map((field) => ({ ...s, field })) : [];
    return isCount(s) ? [{ ...s, field: { ...s.field, fullRow: true } }] : [s];
  });
}

/** The last key of a path, or the field's name when it has only indexes: `data->1->a->>2` is `a`, `data->3` is `data`. */
function pathName({ name, path }: CoercibleField): string {
  const key = path.findLast(({ operand }) => operand.kind === 'key');
  return key ? key.operand.value : name;
}

function implicitAlias({ field, aggregate }: SelectField, spread: boolean): string | null {
  // A spread aggregate is computed further up, where it needs a name to be found by.
  if (aggregate !== null) return spread ? aggregate : null;
  if (field.path.length > 0) return pathName(field);
  return field.transform === null ? null : field.name;
}

/** Gives an alias to paths, represented columns and aggregates of spread relations. One that was asked for stays. */
export function withAliases(select: readonly SelectField[], spread: boolean): readonly SelectField[] {
  let named: SelectField[] | null = null;
  for (const [i, s] of select.entries()) {
    const alias = s.alias ?? implicitAlias(s, spread);
    if (alias === s.alias) continue;
    named ??= [...select];
    named[i] = { ...s, alias };
  }
  return named ?? select;
}
