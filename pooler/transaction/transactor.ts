/** Runs the hop's requests on the pool: one flight each, always, and nothing that waits in between. */
import type { Config } from '../../shared/config/resolve.ts';
import { refuse } from '../../shared/hop/codec.ts';
import { Pieces } from '../../shared/hop/pieces.ts';
import type {
  Hop,
  TransactionError,
  TransactionFailure,
  TransactionOutcome,
  TransactionPayload,
  TransactionRequest,
} from '../../shared/hop/types.ts';
import { notLoaded } from '../../shared/transaction/failures.ts';
import type { Caller } from '../../shared/transaction/plan.ts';
import type { RoleFacts } from '../../shared/transaction/role-facts.ts';
import { AllowedRoles, RoleRule } from '../../shared/transaction/roles.ts';
import type { Admission, Pool, Subject } from '../pool/index.ts';
import type { CancelSignal, Flight } from '../wire/index.ts';
import { BodyStream } from './body-stream.ts';
import { type FlightPlan, FlightWriter, mayStream } from './flight.ts';
import { failureOf, outcomeOf, QUEUE_FULL, textsOf } from './outcome.ts';
import { QueueKeys } from './queue-key.ts';

/** The keys for tokens have not come from their issuer yet: nothing is known of a token. */
export class KeysAwaitedError extends Error {
  override readonly name = 'KeysAwaitedError';

  constructor() {
    super('The keys for tokens have not been fetched from their issuer yet.');
  }
}

/** Says who a bearer token is for, or the anonymous role for null; throws where the token is not good, or KeysAwaitedError. */
export type Verify = (token: string | null) => Caller | Promise<Caller>;

/**
 * Whose word counts for the role. `process`: the request was made in this process, which verified the token. `token`: the
 * token in the message, verified here; with `own` the secret never left this machine, and the roles are those of `process`. `list`: there are no keys here, so the message's role, if the configured list has it.
 */
export type Trust =
  | { readonly kind: 'process' }
  | { readonly kind: 'token'; readonly verify: Verify; readonly own?: true }
  | { readonly kind: 'list' };

/** What transactions depend on. A reload makes another. */
export interface DatabaseFacts {
  /** The snapshot's version. */
  readonly snapshot: string;
  readonly config: Config;
  readonly trust: Trust;
  readonly roles: RoleFacts;
  /** The session's defaults are read committed and read write, so that an implicit transaction has them. */
  readonly plainDefaults: boolean;
  /** Whether the statements of a request may run code of the database's users. */
  readonly callsCode: (request: TransactionRequest) => boolean;
}

export interface TransactorOptions {
  readonly pool: Pick<Pool, 'run' | 'turnsAway'>;
  /** What was found at the last load; null before the first. */
  readonly database: () => DatabaseFacts | null;
}

/** Says before anything is made of a request whether there is any use in it. */
export interface Admittance {
  /** Why a request of this caller would not be run now, since no more may wait; null where it may be asked for. `address`: the client's. */
  refusal(caller: Caller, address: string | null): TransactionFailure | null;
}

/** The hop's own end: what a worker in the same process calls, and what the hop's server calls for one that is elsewhere. */
export function createTransactor(options: TransactorOptions): Hop & Admittance {
  return new Transactor(options);
}

const noSettings: RoleFacts['settings'] extends ReadonlyMap<string, infer T> ? T : never = [];

/** What follows from the facts. */
interface Derived {
  readonly facts: DatabaseFacts;
  readonly writer: FlightWriter;
  readonly rule: RoleRule;
  readonly queueKeys: QueueKeys;
}

/** Under new facts what was learnt of roles under older ones is forgotten. */
function derive(facts: DatabaseFacts, before: Derived | null): Derived {
  const { config, trust, roles } = facts;
  const own = trust.kind === 'process' || (trust.kind === 'token' && trust.own === true);
  const allowed = own ? null : new AllowedRoles(config.allowedRoles, config.dbAnonRole);
  const kept = before?.facts.config === config ? before : null;
  const writer = kept?.writer ?? new FlightWriter(config);
  const queueKeys = kept?.queueKeys ?? new QueueKeys(config);
  return { facts, writer, queueKeys, rule: new RoleRule(roles, allowed) };
}

class Transactor implements Hop, Admittance {
  readonly #options: TransactorOptions;
  #derived: Derived | null = null;

  constructor(options: TransactorOptions) {
    this.#options = options;
  }

  refusal(caller: Caller, address: string | null): TransactionFailure | null {
    const facts = this.#options.database();
    if (facts === null) return null;
    return this.#options.pool.turnsAway(this.#derivedFrom(facts).queueKeys.of(caller, address)) ? QUEUE_FULL : null;
  }

  transaction(
    request: TransactionRequest,
    payload: TransactionPayload | null,
    signal: CancelSignal | null,
  ): Promise<TransactionOutcome> {
    // One and the same facts say whose word counts and what it counts for.
    const facts = this.#options.database();
    if (facts === null) return Promise.resolve(this.#error(notLoaded));
    const { trust } = facts;
    if (trust.kind !== 'token') return this.#begin(request, payload, signal, request, facts);
    let caller: Caller | Promise<Caller>;
    try {
      caller = trust.verify(request.token);
    } catch (error) {
      return Promise.resolve(this.#tokenRefused(error));
    }
    if (!(caller instanceof Promise)) return this.#begin(request, payload, signal, caller, facts);
    return caller.then(
      (verified) => this.#begin(request, payload, signal, verified, facts),
      (error: unknown) => this.#tokenRefused(error),
    );
  }

  /** Waits for the whole payload: no connection is held for a client that is still sending. */
  #begin(
    request: TransactionRequest,
    payload: TransactionPayload | null,
    signal: CancelSignal | null,
    caller: Caller,
    facts: DatabaseFacts,
  ): Promise<TransactionOutcome> {
    if (payload === null || payload instanceof Uint8Array) {
      return this.#run(request, payload === null ? null : [payload], signal, caller, facts);
    }
    if (!(Symbol.asyncIterator in payload)) return this.#run(request, payload, signal, caller, facts);
    return collected(payload).then((pieces) => this.#run(request, pieces, signal, caller, facts));
  }

  #tokenRefused(error: unknown): TransactionError {
    if (error instanceof KeysAwaitedError) return this.#error(refuse(503, 'keys', error.message));
    return this.#error(refuse(401, 'token', error instanceof Error ? error.message : 'The token is not good.'));
  }

  #error(failure: TransactionFailure): TransactionError {
    return { ok: false, snapshot: this.#options.database()?.snapshot ?? null, failure };
  }

  #derivedFrom(facts: DatabaseFacts): Derived {
    if (this.#derived?.facts !== facts) this.#derived = derive(facts, this.#derived);
    return this.#derived;
  }

  #run(
    request: TransactionRequest,
    payload: readonly Uint8Array[] | null,
    signal: CancelSignal | null,
    caller: Caller,
    facts: DatabaseFacts,
  ): Promise<TransactionOutcome> {
    const { role } = caller;
    const { rule, writer, queueKeys } = this.#derivedFrom(facts);
    const decision = rule.decide(role);
    if (decision.kind === 'refused') return Promise.resolve(this.#error(decision.failure));
    const key = queueKeys.of(caller, request.address ?? null);
    if (this.#options.pool.turnsAway(key)) return Promise.resolve(this.#error(QUEUE_FULL));
    const refused = writer.check(request);
    if (refused) return Promise.resolve(this.#error(refused));

    const guarded = decision.kind === 'guard';
    const { logQuery } = facts.config;
    const asker = { role, key };
    let sent: readonly string[] = [];
    const write = (sink: BodyStream | null): FlightPlan => {
      const plan = writer.write(request, payload, caller, {
        roleSettings: facts.roles.settings.get(role) ?? noSettings,
        roleIsolation: facts.roles.isolation.get(role) ?? null,
        plainDefaults: facts.plainDefaults,
        callsCode: facts.callsCode,
        guarded,
        sink,
      });
      if (logQuery) sent = plan.statements.map((statement) => statement.text);
      return plan;
    };
    const outcome = mayStream(request)
      ? this.#stream(request, signal, asker, write)
      : this.#fly(request, write(null), signal, asker);
    if (!guarded && !logQuery) return outcome;
    return outcome.then((known) => {
      if (guarded && known.ok) rule.passed(role);
      return logQuery ? { ...known, sent } : known;
    });
  }

  #fly(
    request: TransactionRequest,
    plan: FlightPlan,
    signal: CancelSignal | null,
    { role, key }: Asker,
  ): Promise<TransactionOutcome> {
    const flight = flightOf(request, plan, signal);
    const subject = { role, text: request.statements[0]?.text ?? '' };
    return this.#options.pool.run(flight, admissionOf(flight, key, subject)).then(
      (result) => outcomeOf(request, plan, result, this.#options.database()?.snapshot ?? request.snapshot),
      (error: unknown) => this.#error(failureOf(error, request)),
    );
  }

  /** A read whose body, when it is large, is handed on before the flight has ended. */
  #stream(
    request: TransactionRequest,
    signal: CancelSignal | null,
    asker: Asker,
    write: (sink: BodyStream) => FlightPlan,
  ): Promise<TransactionOutcome> {
    return new Promise((resolve, reject) => {
      const stream = new BodyStream(signal, (row, length, body) => {
        const statements = [{ rows: 1, columns: textsOf(row, row.length - 1) }];
        const snapshot = this.#options.database()?.snapshot ?? request.snapshot;
        resolve({ ok: true, snapshot, statements, body, length });
      });
      this.#fly(request, write(stream), stream, asker).then(
        (outcome) => {
          stream.finish(outcome.ok ? null : outcome.failure.message);
          resolve(outcome);
        },
        (error: unknown) => {
          stream.finish('The transaction failed.');
          reject(error);
        },
      );
    });
  }
}

/** Who a transaction is for: the role that it has and the queue that it waits in. */
interface Asker {
  readonly role: string;
  readonly key: string;
}

/** All of a payload. Rejects with what it throws. */
async function collected(payload: AsyncIterable<Uint8Array>): Promise<readonly Uint8Array[]> {
  const pieces = new Pieces();
  for await (const piece of payload) pieces.push(piece);
  return pieces.end();
}

/** A connection that served the same role and schema has the statements prepared. */
function admissionOf(flight: Flight, key: string, subject: Subject): Admission {
  const scope = flight.statements.at(-1)?.scope ?? '';
  return {
    scope,
    key,
    subject,
    ...(flight.deadline !== undefined && { deadline: flight.deadline }),
    ...(flight.signal && { signal: flight.signal }),
  };
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
