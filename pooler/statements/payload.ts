/** The request's body as rows: what worker/sql/payload.ts writes. */
import { BODY } from '../../shared/sql/fragments.ts';
import { conversion, type Statement } from './conditions.ts';
import type { PayloadColumn } from './names.ts';
import type { Scanner } from './scanner.ts';

/** What is wanted of the body, in the order of the text: quoted names with what is known of them. */
export type PayloadColumns = ReadonlyMap<string, PayloadColumn>;

/**
 * `FROM (SELECT $1::pg_catalog.json AS json_data) pgrst_payload, … pgrst_body`, its FROM excluded. `columns`: those of a write.
 * For a call there are none to know yet: the names and types that are there are returned, as well as for a write.
 */
export function payloadRows(
  statement: Statement,
  columns: PayloadColumns | null,
): readonly (readonly [string, string])[] {
  const { s, names } = statement;
  s.expect('(SELECT ');
  s.placeholder();
  s.expect('::pg_catalog.json');
  const defaults = columns !== null && s.take('b');
  const json = defaults ? 'jsonb' : 'json';
  s.expect(' AS json_data) pgrst_payload, ');
  if (defaults) defaultValues(statement, columns);
  s.expect('LATERAL (SELECT ');
  const read = new Set<string>();
  if (!s.looksAt(' FROM ')) {
    s.list(', ', () => {
      const converted = conversion(statement, names.payloads);
      const name = s.identifier();
      if (converted) s.expect(`) AS ${name}`);
      once(s, name, read);
      read.add(name);
    });
  }
  s.expect(' FROM ');
  const values = defaults ? 'pgrst_json_defs.val' : 'pgrst_payload.json_data';
  if (read.size === 0) {
    s.expectOneOf(['(values(1)) _', `pg_catalog.${json}_array_elements(${values}) _`]);
    s.expect(`) ${BODY}`);
    return [];
  }
  s.expectOneOf([`pg_catalog.${json}_to_record(${values}) AS _(`, `pg_catalog.${json}_to_recordset(${values}) AS _(`]);
  const given: (readonly [string, string])[] = [];
  for (const name of read) {
    if (given.length > 0) s.expect(', ');
    s.expect(`${name} `);
    given.push([name, columns === null ? s.type() : typeOf(statement, columns, name)]);
  }
  s.expect(')');
  if (columns === null) s.take(' LIMIT 1');
  s.expect(`) ${BODY}`);
  return given;
}

/** Fails at a name that was there before: what follows of it would be as long as they are many. */
export function once(s: Scanner, name: string, before: { has(name: string): boolean }): void {
  if (before.has(name)) s.fail();
}

/** One of the types that the column may be read as, whole. */
function typeOf({ s }: Statement, columns: PayloadColumns, wanted: string): string {
  for (const type of columns.get(wanted)?.types ?? []) {
    if (s.looksAt(`${type}, `) || s.looksAt(`${type})`)) {
      s.expect(type);
      return type;
    }
  }
  return s.fail();
}

/** The defaults are expressions of the database: they stand there word for word. */
function defaultValues({ s }: Statement, columns: PayloadColumns): void {
  const defaults = [...columns.values()].map((column) => column.default).filter((pair) => pair !== null);
  const object = `pg_catalog.jsonb_build_object(${defaults.join(', ')})`;
  s.expectOneOf([
    `LATERAL (SELECT ${object} || pgrst_payload.json_data AS val) pgrst_json_defs, `,
    `LATERAL (SELECT pg_catalog.jsonb_agg(${object} || elem) AS val ` +
      'FROM pg_catalog.jsonb_array_elements(pgrst_payload.json_data) elem) pgrst_json_defs, ',
  ]);
}
