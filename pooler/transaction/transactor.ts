/** Runs the hop's requests on the pool: one flight each, always, and nothing that waits in between. */
import type { Config } from '../../shared/config/resolve.ts';
import { refuse } from '../../shared/hop/codec.ts';
import type {
  Hop,
  TransactionError,
  TransactionFailure,
  TransactionOutcome,
  TransactionRequest,
} from '../../shared/hop/types.ts';
import type { CancelSignal, Flight, FlightResult } from '../wire/types.ts';
import { BodyStream } from './body-stream.ts';
import { type Caller, type FlightPlan, FlightWriter, mayStream } from './flight.ts';
import { outcomeOf, textsOf } from './outcome.ts';
import { AllowedRoles, decideForeign, decideTrusted, type RoleDecision, type RoleFacts } from './roles.ts';

/** The part of the pool that a transaction needs. */
export interface FlightPool {
  /** Runs a flight on one of the connections; `role` is the key that it queues under and that a connection is chosen by. */
  run(flight: Flight, role: string): Promise<FlightResult>;
}

/** Says who a bearer token is for, or the anonymous role for null; throws where the token is not good. */
export type Verify = (token: string | null) => Caller | Promise<Caller>;

/**
 * Whose word counts for the role. `process`: the request was made in this process, which verified the token. `token`: the
 * token in the message, verified here. `list`: there are no keys here, so the message's role, if the configured list has it.
 */
export type Trust =
  | { readonly kind: 'process' }
  | { readonly kind: 'token'; readonly verify: Verify }
  | { readonly kind: 'list' };

export interface TransactorOptions {
  readonly pool: FlightPool;
  readonly config: Config;
  readonly trust: Trust;
  /** The roles as last loaded; null before the first load. */
  readonly roles: () => RoleFacts | null;
  /** The snapshot's version; null before the first load. */
  readonly snapshotVersion: () => string | null;
  /** What it means that the pool could not run a flight: a failure of the connection or of the admission. Other errors are thrown again. */
  readonly failureOf: (error: unknown, request: TransactionRequest) => TransactionFailure;
}

/** The hop's own end: what a worker in the same process calls, and what the hop's server calls for one that is elsewhere. */
export function createTransactor(options: TransactorOptions): Hop {
  return new Transactor(options);
}

class Transactor implements Hop {
  readonly #options: TransactorOptions;
  readonly #writer: FlightWriter;
  readonly #allowed: AllowedRoles;

  constructor(options: TransactorOptions) {
    this.#options = options;
    this.#writer = new FlightWriter(options.config);
    this.#allowed = new AllowedRoles(options.config.allowedRoles, options.config.dbAnonRole);
  }

  transaction(
    request: TransactionRequest,
    payload: Uint8Array | null,
    signal: AbortSignal | null,
  ): Promise<TransactionOutcome> {
    const { trust } = this.#options;
    if (trust.kind !== 'token') return this.#run(request, payload, signal, request);
    let caller: Caller | Promise<Caller>;
    try {
      caller = trust.verify(request.token);
    } catch (error) {
      return Promise.resolve(this.#tokenRefused(error));
    }
    if (!(caller instanceof Promise)) return this.#run(request, payload, signal, caller);
    return caller.then(
      (verified) => this.#run(request, payload, signal, verified),
      (error: unknown) => this.#tokenRefused(error),
    );
  }

  #tokenRefused(error: unknown): TransactionError {
    return this.#error(refuse(401, 'token', error instanceof Error ? error.message : 'The token is not good.'));
  }

  #error(failure: TransactionFailure): TransactionError {
    return { ok: false, snapshot: this.#options.snapshotVersion(), failure };
  }

  #decide(role: string, facts: RoleFacts): RoleDecision {
    return this.#options.trust.kind === 'process'
      ? decideTrusted(role, facts)
      : decideForeign(role, facts, this.#allowed);
  }

  #run(
    request: TransactionRequest,
    payload: Uint8Array | null,
    signal: AbortSignal | null,
    caller: Caller,
  ): Promise<TransactionOutcome> {
    const facts = this.#options.roles();
    const snapshot = this.#options.snapshotVersion();
    if (facts === null || snapshot === null) {
      const message = 'The schema cache has not been loaded yet.';
      return Promise.resolve(this.#error({ kind: 'unavailable', reason: 'no snapshot', message, detail: null }));
    }
    const decision = this.#decide(caller.role, facts);
    if (decision.kind === 'refused') return Promise.resolve(this.#error(decision.failure));
    const refused = this.#writer.checkSettings(request);
    if (refused) return Promise.resolve(this.#error(refused));

    const guarded = decision.kind === 'guard';
    const write = (sink: BodyStream | null): FlightPlan =>
      this.#writer.write(request, payload, caller, {
        fact: decision.kind === 'switch' ? decision.fact : null,
        plainDefaults: facts.plainDefaults,
        guarded,
        sink,
      });
    return mayStream(request)
      ? this.#stream(request, signal, caller.role, write)
      : this.#fly(request, write(null), signal, caller.role);
  }

  #fly(
    request: TransactionRequest,
    plan: FlightPlan,
    signal: CancelSignal | null,
    role: string,
  ): Promise<TransactionOutcome> {
    return this.#options.pool.run(flightOf(request, plan, signal), role).then(
      (result) => outcomeOf(request, plan, result, this.#options.snapshotVersion() ?? ''),
      (error: unknown) => this.#error(this.#options.failureOf(error, request)),
    );
  }

  /** A read whose body, when it is large, is handed on before the flight has ended. */
  #stream(
    request: TransactionRequest,
    signal: AbortSignal | null,
    role: string,
    write: (sink: BodyStream) => FlightPlan,
  ): Promise<TransactionOutcome> {
    return new Promise((resolve) => {
      const stream = new BodyStream(signal, (row, length, body) => {
        const columns = textsOf(row, row.length - 1);
        const statements = [{ rows: 1, columns }];
        resolve({ ok: true, snapshot: this.#options.snapshotVersion() ?? '', statements, body, length });
      });
      this.#fly(request, write(stream), stream, role).then((outcome) => {
        stream.finish(outcome.ok ? null : outcome.failure.message);
        resolve(outcome);
      });
    });
  }
}

/** The plan as the pool takes it, with the time until which it may take. */
function flightOf(request: TransactionRequest, plan: FlightPlan, signal: CancelSignal | null): Flight {
  return {
    statements: plan.statements,
    reset: plan.reset,
    ...(plan.transaction && { transaction: plan.transaction }),
    ...(request.deadline !== null && { deadline: Date.now() + request.deadline }),
    ...(signal && { signal }),
  };
}
