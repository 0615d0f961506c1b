/** What a request's transaction is made of besides the request's own statements: whoever runs it, this is what must never be skipped. */
import type { Config } from '../config/resolve.ts';
import type { TransactionRequest } from '../hop/types.ts';
import type { IsolationLevel } from '../snapshot/types.ts';
import { quoteQualified } from '../sql/identifiers.ts';
import { type Settings, SettingsWriter } from './settings.ts';

/** Who the request runs as. */
export interface Caller {
  readonly role: string;
  /** `request.jwt.claims`. */
  readonly claims: string;
}

/** What is known besides the request. */
export interface TransactionCircumstances {
  /** The role's own settings and isolation level. */
  readonly roleSettings: Settings;
  readonly roleIsolation: IsolationLevel | null;
  /** A transaction that begins without words is read committed and read write, and there may be such a one. */
  readonly plainDefaults: boolean;
  /** Whether the database has to be asked if the role is privileged. */
  readonly guarded: boolean;
}

/** A statement with text parameters whose result is of no interest. */
export interface PrefaceStatement {
  readonly text: string;
  readonly parameters: readonly string[];
  /** Whether it runs as the role already, so that its plan depends on the scope. */
  readonly scoped: boolean;
}

export interface ExplicitTransaction {
  readonly isolation: IsolationLevel;
  readonly readOnly: boolean;
  readonly end: 'commit' | 'rollback';
}

export interface TransactionPlan {
  /** What goes before the request's own statements, in this order. */
  readonly preface: readonly PrefaceStatement[];
  /** The index of the statement that fails when the role is privileged; -1 without one. */
  readonly roleGuard: number;
  /** What plans depend on besides their texts: the role for row-level security, the schema for the search_path. */
  readonly scope: string;
  /** Null where one that begins without words has what is wanted: the usual case. */
  readonly transaction: ExplicitTransaction | null;
}

const GUARD_MARK = 'edgerest guard: the role is privileged';

/**
 * Fails when the role may ignore row-level security: a cast of text that says so. It reads the catalog, so it is not folded at plan
 * time; it is all qualified, since it runs under whatever search_path the session has.
 */
const ROLE_GUARD =
  `select (case when r.rolsuper or r.rolbypassrls then '${GUARD_MARK}' else '0' end)::pg_catalog.int4 ` +
  'from pg_catalog.pg_roles r where r.rolname operator(pg_catalog.=) $1';

/** Whether an error is that the role is privileged. Its words depend on the server's language, the quoted text does not. */
export const isRoleGuardFailure = (sqlstate: string, message: string): boolean =>
  sqlstate === '22P02' && message.includes(GUARD_MARK);

/** The function's settings, and the trace that the request belongs to, for functions and the database's log. */
const withTrace = ({ settings, traceparent }: TransactionRequest): Settings =>
  traceparent === undefined ? settings : [...settings, ['edgerest.traceparent', traceparent]];

/** Makes plans for one configuration. Pure: what it returns depends on its arguments and the configuration alone. */
export class TransactionPlanner {
  readonly #dbTxEnd: Config['dbTxEnd'];
  readonly #settings: SettingsWriter;
  readonly #preRequest: PrefaceStatement | null;

  constructor(config: Config) {
    this.#dbTxEnd = config.dbTxEnd;
    this.#settings = new SettingsWriter(config);
    const name = config.dbPreRequest;
    this.#preRequest =
      name === null ? null : { text: `select ${quoteQualified(name)}()`, parameters: [], scoped: true };
  }

  plan(request: TransactionRequest, caller: Caller, circumstances: TransactionCircumstances): TransactionPlan {
    const { guarded } = circumstances;
    const transaction = this.#transaction(request, circumstances);
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
      readOnly: request.access === 'read only' && transaction === null,
    });
    const preface: PrefaceStatement[] = [];
    if (guarded) preface.push({ text: ROLE_GUARD, parameters: [caller.role], scoped: false });
    preface.push({ ...settings, scoped: false });
    if (this.#preRequest !== null) preface.push(this.#preRequest);
    return { preface, roleGuard: guarded ? 0 : -1, scope: `${caller.role}\n${request.schema}`, transaction };
  }

  #transaction(
    request: TransactionRequest,
    { roleIsolation, plainDefaults }: TransactionCircumstances,
  ): ExplicitTransaction | null {
    const isolation = request.isolation ?? roleIsolation ?? 'read committed';
    const end = this.#end(request);
    if (isolation === 'read committed' && end === 'commit' && plainDefaults) return null;
    return { isolation, end, readOnly: request.access === 'read only' };
  }

  /** `db-tx-end`. What the request asks for counts only where the configuration allows it, whatever the worker checked. */
  #end(request: TransactionRequest): 'commit' | 'rollback' {
    switch (this.#dbTxEnd) {
      case 'commit':
        return 'commit';
      case 'rollback':
        return 'rollback';
      case 'commit-allow-override':
        return request.end ?? 'commit';
      case 'rollback-allow-override':
        return request.end ?? 'rollback';
      default:
        return this.#dbTxEnd satisfies never;
    }
  }
}
