/** From a request of the hop to a flight: everything that the database gets for it, under one Sync. */
import type { Config } from '../../shared/config/resolve.ts';
import { type Refused, refuse } from '../../shared/hop/codec.ts';
import type { Parameter, Statement, TransactionRequest } from '../../shared/hop/types.ts';
import type { IsolationLevel } from '../../shared/snapshot/types.ts';
import { quoteQualified } from '../../shared/sql/identifiers.ts';
import type { FlightStatement, ParameterValue, RowSink, TransactionWrapper } from '../wire/index.ts';
import { type Settings, SettingsWriter } from './settings.ts';

/** Who the request runs as: from the token, or from the message where the process verified it itself. */
export interface Caller {
  readonly role: string;
  /** `request.jwt.claims`. */
  readonly claims: string;
}

export interface FlightPlan {
  readonly statements: readonly FlightStatement[];
  readonly transaction: TransactionWrapper | null;
  readonly reset: boolean;
  /** How many statements go before the request's own. */
  readonly preface: number;
  /** The index of the statement that fails when the role is privileged; -1 without one. */
  readonly roleGuard: number;
}

/**
 * The statements that a flight may carry. Before PostgreSQL 18 an implicit batch is no transaction block: a COMMIT, in a procedure or
 * DO too, would end the settings, and what follows would run as the login role.
 */
const QUERY = /^\s*(select|insert|update|delete|merge|with|values|explain)\b/i;

/** What is known besides the request. */
export interface FlightCircumstances {
  /** The role's own settings and isolation level. */
  readonly roleSettings: Settings;
  readonly roleIsolation: IsolationLevel | null;
  /** The session's defaults are read committed and read write, so that an implicit transaction has them. */
  readonly plainDefaults: boolean;
  /** Whether the database has to be asked if the role is privileged. */
  readonly guarded: boolean;
  /** Takes the body of a request that `mayStream`. */
  readonly sink: RowSink | null;
}

/**
 * Fails with division_by_zero when the role may ignore row-level security. It reads the catalog, so it is not folded at plan
 * time; it is all qualified, since it runs under whatever search_path the session has.
 */
const ROLE_GUARD =
  'select 1 operator(pg_catalog./) (case when r.rolsuper or r.rolbypassrls then 0 else 1 end) ' +
  'from pg_catalog.pg_roles r where r.rolname operator(pg_catalog.=) $1';

/** Whether the body may be passed on while it arrives: a read that nothing follows. Nothing is certain before a write's end. */
export function mayStream(request: TransactionRequest): boolean {
  const [statement] = request.statements;
  if (request.access !== 'read only' || request.statements.length !== 1) return false;
  return statement?.result.kind === 'row' && statement.result.stream === true;
}

/** Makes flights for one configuration. Pure: what it returns depends on its arguments and the configuration alone. */
export class FlightWriter {
  readonly #config: Config;
  readonly #settings: SettingsWriter;
  readonly #preRequest: string | null;
  readonly #hoisted: ReadonlySet<string>;
  readonly #prepare: FlightStatement['prepare'];

  constructor(config: Config) {
    this.#config = config;
    this.#settings = new SettingsWriter(config);
    this.#preRequest = config.dbPreRequest === null ? null : `select ${quoteQualified(config.dbPreRequest)}()`;
    this.#hoisted = new Set(config.dbHoistedTxSettings);
    this.#prepare = config.dbPreparedStatements ? 'named' : 'unnamed';
  }

  /** What a request may not ask for, as a refusal; null when it may all. */
  check(request: TransactionRequest): Refused | null {
    for (const [name] of request.settings) {
      if (!this.#hoisted.has(name)) return refuse(403, 'setting', 'db-hoisted-tx-settings does not list this setting.');
    }
    for (const { text } of request.statements) {
      if (!QUERY.test(text)) return refuse(403, 'statement', 'Only queries are run, no other statements.');
    }
    return null;
  }

  /** The flight of a request; `payload` stands where its parameters refer to it. */
  write(
    request: TransactionRequest,
    payload: readonly Uint8Array[] | null,
    caller: Caller,
    circumstances: FlightCircumstances,
  ): FlightPlan {
    const { guarded, sink } = circumstances;
    const transaction = this.#transaction(request, circumstances);
    const readOnly = request.access === 'read only';
    const settings = this.#settings.write({
      schema: request.schema,
      role: caller.role,
      roleSettings: circumstances.roleSettings,
      claims: caller.claims,
      method: request.method,
      path: request.path,
      headers: request.headers,
      cookies: request.cookies,
      timezone: request.timezone,
      functionSettings: withTrace(request),
      readOnly: readOnly && transaction === null,
    });
    // What a plan depends on besides its text: the role for row-level security, the schema for the search_path.
    const scope = `${caller.role}\n${request.schema}`;
    const statements: FlightStatement[] = [];
    if (guarded) statements.push(this.#plain(ROLE_GUARD, [caller.role], ''));
    statements.push(this.#plain(settings.text, settings.parameters, ''));
    if (this.#preRequest !== null) statements.push(this.#plain(this.#preRequest, [], scope));
    const preface = statements.length;
    for (const statement of request.statements) statements.push(this.#own(statement, payload, scope, sink));
    return {
      statements,
      transaction,
      reset: this.#resets(request),
      preface,
      roleGuard: guarded ? 0 : -1,
    };
  }

  #plain(text: string, parameters: readonly string[], scope: string): FlightStatement {
    return { text, parameters, prepare: this.#prepare, scope, result: 'none' };
  }

  #own(
    statement: Statement,
    payload: readonly Uint8Array[] | null,
    scope: string,
    sink: RowSink | null,
  ): FlightStatement {
    const { result } = statement;
    const flightStatement: FlightStatement = {
      text: statement.text,
      parameters: statement.parameters.map((parameter) => bound(parameter, payload)),
      prepare: this.#prepare,
      scope,
      result: result.kind === 'lines' ? 'rows' : result.kind,
      binary: result.kind === 'row' && result.binary === true,
    };
    return sink === null ? flightStatement : { ...flightStatement, sink };
  }

  /** Null where one implicit transaction has what is wanted: the usual case. */
  #transaction(
    request: TransactionRequest,
    { roleIsolation, plainDefaults }: FlightCircumstances,
  ): TransactionWrapper | null {
    const isolation = request.isolation ?? roleIsolation ?? 'read committed';
    const end = this.#end(request);
    if (isolation === 'read committed' && end === 'commit' && plainDefaults) return null;
    return { isolation, end, readOnly: request.access === 'read only' };
  }

  /** `db-tx-end`. What the request asks for counts only where the configuration allows it, whatever the worker checked. */
  #end(request: TransactionRequest): 'commit' | 'rollback' {
    switch (this.#config.dbTxEnd) {
      case 'commit':
        return 'commit';
      case 'rollback':
        return 'rollback';
      case 'commit-allow-override':
        return request.end ?? 'commit';
      case 'rollback-allow-override':
        return request.end ?? 'rollback';
      default:
        return this.#config.dbTxEnd satisfies never;
    }
  }

  /** Whether the session is cleaned afterwards: code of the database's users may leave anything behind. */
  #resets(request: TransactionRequest): boolean {
    switch (this.#config.sessionReset) {
      case 'off':
        return false;
      case 'full':
        return true;
      case 'auto':
        return request.runsCode || request.access === 'read write' || this.#preRequest !== null;
      default:
        return this.#config.sessionReset satisfies never;
    }
  }
}

/** The function's settings, and the trace that the request belongs to, for functions and the database's log. */
const withTrace = ({ settings, traceparent }: TransactionRequest): Settings =>
  traceparent === undefined ? settings : [...settings, ['edgerest.traceparent', traceparent]];

function bound(parameter: Parameter, payload: readonly Uint8Array[] | null): ParameterValue {
  if (parameter === null || typeof parameter === 'string') return parameter;
  return payload === null || parameter.payload === 'text' ? payload : { binary: payload };
}
