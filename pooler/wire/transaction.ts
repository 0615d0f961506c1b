import type { Flight, FlightStatement, TransactionWrapper } from './types.ts';

function utility(text: string): FlightStatement {
  return { text, parameters: [], prepare: 'named', result: 'none' };
}

const commit: readonly FlightStatement[] = [utility('commit')];
const checkAndRollback: readonly FlightStatement[] = [utility('set constraints all immediate'), utility('rollback')];
const begins = new Map<string, FlightStatement>();

/** What ends a transaction that an error has left open. */
export const rollbackStatements: readonly FlightStatement[] = [utility('rollback')];

/** The statements as they are sent: with a transaction around them where the flight has one. */
export function wrapped(flight: Flight): readonly FlightStatement[] {
  const wrapper = flight.transaction;
  if (wrapper === undefined) return flight.statements;
  return [begin(wrapper), ...flight.statements, ...(wrapper.end === 'commit' ? commit : checkAndRollback)];
}

function begin(wrapper: TransactionWrapper): FlightStatement {
  const isolation = wrapper.isolation === null ? '' : ` isolation level ${wrapper.isolation}`;
  const access = wrapper.readOnly === null ? '' : wrapper.readOnly ? ' read only' : ' read write';
  const deferrable = wrapper.deferrable === true ? ' deferrable' : '';
  const text = `begin${isolation}${access}${deferrable}`;
  let statement = begins.get(text);
  if (statement === undefined) {
    statement = utility(text);
    begins.set(text, statement);
  }
  return statement;
}
