/** SQLSTATE to HTTP status (PostgREST docs, Errors; PostgreSQL docs, Appendix A). */
import { isFinalStatus } from './bytes.ts';

/** Whole codes, before their classes. */
const CODES: Readonly<Record<string, number>> = {
  '23503': 409, // foreign_key_violation
  '23505': 409, // unique_violation
  '25006': 405, // read_only_sql_transaction
  '42883': 404, // undefined_function
  '42P01': 404, // undefined_table
  '42P17': 500, // invalid_object_definition: infinite recursion
  '53400': 500, // configuration_limit_exceeded
  '57P01': 503, // admin_shutdown
  P0001: 400, // raise_exception
};

const CLASSES: Readonly<Record<string, number>> = {
  '08': 503, // connection exception
  '09': 500, // triggered action exception
  '0L': 403, // invalid grantor
  '0P': 403, // invalid role specification
  '25': 500, // invalid transaction state
  '28': 403, // invalid authorization specification
  '2D': 500, // invalid transaction termination
  '38': 500, // external routine exception
  '39': 500, // external routine invocation exception
  '3B': 500, // savepoint exception
  '40': 500, // transaction rollback
  '53': 503, // insufficient resources
  '54': 500, // program limit exceeded
  '55': 500, // object not in prerequisite state
  '57': 500, // operator intervention
  '58': 500, // system error
  F0: 500, // configuration file error
  HV: 500, // foreign data wrapper error
  P0: 500, // PL/pgSQL error
  XX: 500, // internal error
};

/** The status for a database error, and the reason phrase where a function gave one (`PTxyz`). */
export function sqlStatus(
  code: string,
  message: string,
  authenticated: boolean,
): { readonly status: number; readonly statusText: string | null } {
  if (code.startsWith('PT') && code.length === 5) {
    const status = /^\d{3}$/.test(code.slice(2)) ? Number(code.slice(2)) : 0;
    return isFinalStatus(status) ? { status, statusText: message } : { status: 500, statusText: null };
  }
  return { status: plainStatus(code, message, authenticated), statusText: null };
}

function plainStatus(code: string, message: string, authenticated: boolean): number {
  switch (code) {
    // pg-safeupdate blames the client; otherwise a function or view is at fault.
    case '21000':
      return message.endsWith('requires a WHERE clause') ? 400 : 500;
    // The token's role does not exist.
    case '22023':
      return message.startsWith('role') && message.endsWith('does not exist') ? 401 : 400;
    case '42501':
      return authenticated ? 403 : 401;
    // A media type whose handler lacks its aggregate.
    case '42883':
      return message.startsWith('function xmlagg(') ? 406 : 404;
    default:
      return CODES[code] ?? CLASSES[code.slice(0, 2)] ?? 400;
  }
}
