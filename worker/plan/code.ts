/** Whether a read calls functions of the database's users by name, as a write and a call always may. */
import type { BodyHandler, CoercibleField, PlanLogic, PlanOrder, ReadPlan } from './types.ts';

/** A name that is no column may be a function of the row (a computed field); a conversion is a function in any case. */
const fieldCalls = ({ name, type, transform, fullRow }: CoercibleField): boolean =>
  transform !== null || (type === '' && name !== '*' && !fullRow);

function logicCalls(logic: PlanLogic): boolean {
  switch (logic.kind) {
    case 'expression':
      return logic.children.some(logicCalls);
    case 'filter':
      return fieldCalls(logic.field);
    case 'null-embed':
      return false;
    default:
      return logic satisfies never;
  }
}

const orderCalls = (order: PlanOrder): boolean => order.kind === 'field' && fieldCalls(order.field);

/** A relation with all that is embedded in it. What a view's query or a policy calls is not known here. */
function relationCalls({ select, where, order, relation, children }: ReadPlan): boolean {
  return (
    relation.toParent?.kind === 'computed' ||
    select.some(({ field }) => fieldCalls(field)) ||
    where.some(logicCalls) ||
    order.some(orderCalls) ||
    children.some(relationCalls)
  );
}

export const callsFunctions = (read: ReadPlan, handler: BodyHandler): boolean =>
  handler.kind === 'custom' || relationCalls(read);
