/**
 * Names in the database and the one place that quotes them.
 * PostgreSQL docs, 4.1.1 Identifiers and Key Words.
 */

/** A name with its schema. An empty schema leaves the look-up to search_path. */
export interface QualifiedIdentifier {
  readonly schema: string;
  readonly name: string;
}

/** Makes a qualified identifier. */
export const qualified = (schema: string, name: string): QualifiedIdentifier => ({ schema, name });

/** A key for maps: NUL cannot occur in a PostgreSQL name, so the pair is unambiguous. */
export const identifierKey = (id: QualifiedIdentifier): string => `${id.schema}\0${id.name}`;

/** What PostgreSQL would call a syntax error, with its own code and message: it need not be sent to be refused. */
export class SqlSyntaxError extends Error {
  override readonly name = 'SqlSyntaxError';
  readonly code = '42601';
}

/**
 * Quotes an identifier: double quotes around, those inside doubled, cut at the first NUL as PostgREST does
 * (the protocol's strings end there). Throws SqlSyntaxError where nothing is left:
 * a name has at least one character.
 */
export function quoteIdent(name: string): string {
  const end = name.indexOf('\0');
  const text = end < 0 ? name : name.slice(0, end);
  if (text === '') throw new SqlSyntaxError('zero-length delimited identifier at or near """"');
  return `"${text.includes('"') ? text.replaceAll('"', '""') : text}"`;
}

/** Quotes `schema.name`, or the name alone where the schema is empty. */
export const quoteQualified = (id: QualifiedIdentifier): string =>
  id.schema === '' ? quoteIdent(id.name) : `${quoteIdent(id.schema)}.${quoteIdent(id.name)}`;

/**
 * Quotes a name of the catalog as a string constant, for the few places where SQL takes no parameter (arguments of
 * VARIADIC "any" functions, whose type cannot be inferred). Values of requests are always parameters. Backslashes are
 * escaped with E'…', whatever standard_conforming_strings says (PostgreSQL docs, 4.1.2.2).
 */
export function quoteLiteral(name: string): string {
  const end = name.indexOf('\0');
  const text = (end < 0 ? name : name.slice(0, end)).replaceAll("'", "''");
  return text.includes('\\') ? `E'${text.replaceAll('\\', '\\\\')}'` : `'${text}'`;
}
