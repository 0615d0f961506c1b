/** Transaction-local settings that statements of one flight read and leave behind. */

/** Counts inserted rows of an upsert; rows that were updated instead are taken off again. */
const INSERTED = 'pgrst.inserted';
/** The number of rows that a guard looks at. */
const COUNT = 'edgerest.count';

// A setting that was set in an earlier transaction of the connection reads as '' afterwards, not as NULL.
const current = (name: string): string => `NULLIF(pg_catalog.current_setting('${name}', true), '')`;

export const responseHeaders = current('response.headers');
export const responseStatus = current('response.status');
export const insertedRows = `${current(INSERTED)}::int`;

const shiftInserted = (step: '+ 1' | '- 1', never: string): string =>
  `pg_catalog.set_config('${INSERTED}', (COALESCE(${insertedRows}, 0) ${step})::pg_catalog.text, true) <> '${never}'`;

/** A condition that is always true and counts a row as inserted. */
export const countInserted = shiftInserted('+ 1', '0');
/** A condition that is always true and takes back a row that met a conflict. */
export const countUpdated = shiftInserted('- 1', '-1');

/** In the main statement: leaves the count behind for the guard. */
export const leaveCount = (count: string): string =>
  `pg_catalog.set_config('${COUNT}', (${count})::pg_catalog.text, true)`;

/** The count that was left, as text. */
export const countLeft = `pg_catalog.current_setting('${COUNT}')`;
