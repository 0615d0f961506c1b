/** INSERT, UPDATE and DELETE. */
import { BODY } from '../../shared/sql/fragments.ts';
import { quoteIdent, quoteQualified } from '../../shared/sql/identifiers.ts';
import { countInserted, countUpdated } from '../../shared/sql/settings.ts';
import type { MutatePlan, PlanLogic } from '../plan/types.ts';
import { aliased, column, type Source, sourceOf } from './fields.ts';
import { joinedNullEmbed, logic, where } from './filters.ts';
import type { Parameters } from './parameters.ts';
import { payloadRows } from './payload.ts';

type Insert = MutatePlan & { readonly kind: 'insert' };
type Update = MutatePlan & { readonly kind: 'update' };

/** Compiles the write itself; its RETURNING is what the read then selects from. */
export function mutateQuery(plan: MutatePlan, parameters: Parameters): string {
  const target = sourceOf(plan.target);
  switch (plan.kind) {
    case 'insert':
      return insert(plan, target, parameters);
    case 'update':
      return update(plan, target, parameters);
    case 'delete': {
      const conditions = where(all(target, plan.where, parameters));
      return `DELETE FROM ${target.text}${conditions}${returning(target, plan.returning)}`;
    }
    default:
      return plan satisfies never;
  }
}

const all = (source: Source, trees: readonly PlanLogic[], parameters: Parameters): string[] =>
  trees.map((tree) => logic(source, tree, parameters, joinedNullEmbed));

// Without columns a 1 for every row, to know how many there were.
const returning = (target: Source, columns: readonly string[]): string =>
  columns.length === 0 ? ' RETURNING 1' : ` RETURNING ${columns.map((c) => column(target.text, c)).join(', ')}`;

/** Whether the write is a PUT: an insert that must match the key in the URL. */
export const isPut = (plan: MutatePlan): boolean => plan.kind === 'insert' && plan.where.length > 0;

function insert(plan: Insert, target: Source, parameters: Parameters): string {
  const names = plan.columns.map((c) => quoteIdent(c.name));
  const columns = names.length === 0 ? '' : `(${names.join(', ')})`;
  const values = names.map((name) => `${BODY}.${name}`).join(', ');
  const rows = payloadRows(plan.columns, plan.payload.isObject, plan.applyDefaults, parameters);
  const merge = plan.onConflict?.resolution === 'merge-duplicates';
  const conditions = isPut(plan) || merge ? [countInserted] : [];
  // The rows of a PUT are compared with the URL's key before they are inserted.
  if (isPut(plan)) conditions.push(...all(aliased(BODY), plan.where, parameters));
  return `INSERT INTO ${target.text}${columns} SELECT ${values} ${rows}${where(conditions)}${onConflict(plan, names)}${returning(
    target,
    plan.returning,
  )}`;
}

function onConflict(plan: Insert, names: readonly string[]): string {
  if (plan.onConflict === null || plan.onConflict.columns.length === 0) return '';
  const { columns, resolution } = plan.onConflict;
  const conflict = ` ON CONFLICT(${columns.map(quoteIdent).join(', ')})`;
  if (resolution === 'ignore-duplicates' || names.length === 0) return `${conflict} DO NOTHING`;
  return `${conflict} DO UPDATE SET ${names.map((n) => `${n} = EXCLUDED.${n}`).join(', ')} WHERE ${countUpdated}`;
}

function update(plan: Update, target: Source, parameters: Parameters): string {
  // SET needs a column: an empty body changes nothing, and returns no row of the right form.
  if (plan.columns.length === 0) {
    const source = quoteIdent(plan.target.name);
    const columns = plan.returning.map((c) => column(source, c));
    return `SELECT ${columns.length === 0 ? 'NULL' : columns.join(', ')} FROM ${quoteQualified(plan.target)} WHERE false`;
  }
  const assignments = plan.columns.map(({ name }) => `${quoteIdent(name)} = ${BODY}.${quoteIdent(name)}`).join(', ');
  const rows = payloadRows(plan.columns, plan.payload.isObject, plan.applyDefaults, parameters);
  const conditions = where(all(target, plan.where, parameters));
  return `UPDATE ${target.text} SET ${assignments} ${rows}${conditions}${returning(target, plan.returning)}`;
}
