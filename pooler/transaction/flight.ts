/** From a request of the hop to a flight: everything that the database gets for it, under one Sync. */
import type { Config } from '../../shared/config/resolve.ts';
import { type Refused, refuse } from '../../shared/hop/codec.ts';
import type { Parameter, Statement, TransactionRequest } from '../../shared/hop/types.ts';
import { type Caller, type TransactionCircumstances, TransactionPlanner } from '../../shared/transaction/plan.ts';
import type { FlightStatement, ParameterValue, RowSink, TransactionWrapper } from '../wire/index.ts';

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
export interface FlightCircumstances extends TransactionCircumstances {
  /** Takes the body of a request that `mayStream`. */
  readonly sink: RowSink | null;
  /** Whether the statements of a request may run code of the database's users. */
  readonly callsCode: (request: TransactionRequest) => boolean;
}

/** Whether the body may be passed on while it arrives: a read that nothing follows. Nothing is certain before a write's end. */
export function mayStream(request: TransactionRequest): boolean {
  const [statement] = request.statements;
  if (request.access !== 'read only' || request.statements.length !== 1) return false;
  return statement?.result.kind === 'row' && statement.result.stream === true;
}

/** Makes flights for one configuration. Pure: what it returns depends on its arguments and the configuration alone. */
export class FlightWriter {
  readonly #config: Config;
  readonly #planner: TransactionPlanner;
  readonly #hoisted: ReadonlySet<string>;
  readonly #prepare: FlightStatement['prepare'];

  constructor(config: Config) {
    this.#config = config;
    this.#planner = new TransactionPlanner(config);
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
    const { preface, roleGuard, scope, transaction } = this.#planner.plan(request, caller, circumstances);
    const statements = preface.map(
      ({ text, parameters, scoped }): FlightStatement => ({
        text,
        parameters,
        prepare: this.#prepare,
        scope: scoped ? scope : '',
        result: 'none',
      }),
    );
    for (const statement of request.statements) {
      statements.push(this.#own(statement, payload, scope, circumstances.sink));
    }
    return { statements, transaction, reset: this.#resets(request, circumstances), preface: preface.length, roleGuard };
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

  /** Whether the session is cleaned afterwards: code of the database's users may leave anything behind. */
  #resets(request: TransactionRequest, { callsCode }: FlightCircumstances): boolean {
    switch (this.#config.sessionReset) {
      case 'off':
        return false;
      case 'full':
        return true;
      case 'auto':
        if (request.access === 'read write' || this.#config.dbPreRequest !== null) return true;
        // The statement of a document is the pooler's own.
        return request.document !== true && callsCode(request);
      default:
        return this.#config.sessionReset satisfies never;
    }
  }
}

function bound(parameter: Parameter, payload: readonly Uint8Array[] | null): ParameterValue {
  if (parameter === null || typeof parameter === 'string') return parameter;
  return payload === null || parameter.payload === 'text' ? payload : { binary: payload };
}
