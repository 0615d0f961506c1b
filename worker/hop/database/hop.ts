/** The hop of a worker without a pooler: it plans the whole transaction and has a driver run it. */
import { joined } from '../../../shared/bytes.ts';
import type { Config } from '../../../shared/config/resolve.ts';
import type { CancelSignal } from '../../../shared/hop/cancellation.ts';
import { refuse } from '../../../shared/hop/codec.ts';
import { Pieces } from '../../../shared/hop/pieces.ts';
import type {
  Hop,
  Parameter,
  ResultBody,
  StatementResult,
  TransactionFailure,
  TransactionOutcome,
  TransactionPayload,
  TransactionRequest,
  TransactionResult,
} from '../../../shared/hop/types.ts';
import {
  callerGone,
  connectionLost,
  notConnected,
  notLoaded,
  privilegedRole,
  unanswered,
} from '../../../shared/transaction/failures.ts';
import { isRoleGuardFailure, type TransactionPlan, TransactionPlanner } from '../../../shared/transaction/plan.ts';
import type { RoleFacts } from '../../../shared/transaction/role-facts.ts';
import { AllowedRoles, RoleRule } from '../../../shared/transaction/roles.ts';
import { readGuardFailure } from '../../sql/guards.ts';
import {
  type BatchFailure,
  type BatchResult,
  type BatchStatement,
  byteaText,
  bytesOf,
  type DatabaseDriver,
  textOf,
  type Value,
} from './batch.ts';

/** What transactions depend on. Another load makes another. */
export class DatabaseFacts {
  readonly config: Config;
  readonly roles: RoleFacts;
  /** The snapshot's. */
  readonly version: string;
  readonly planner: TransactionPlanner;
  readonly rule: RoleRule;

  constructor(config: Config, roles: RoleFacts, version: string) {
    this.config = config;
    this.roles = roles;
    this.version = version;
    this.planner = new TransactionPlanner(config);
    this.rule = new RoleRule(roles, new AllowedRoles(config.allowedRoles, config.dbAnonRole));
  }
}

const NEWLINE = 10;

/** The body is not the text that it is to be bound as. */
class PayloadError extends Error {}

/** A request's body as a parameter. */
interface Payload {
  readonly text: () => string;
  readonly binary: () => string;
}

function payloadOf(pieces: readonly Uint8Array[] | null): Payload | null {
  if (pieces === null) return null;
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  const text = (): string => {
    try {
      return pieces.map((piece) => decoder.decode(piece, { stream: true })).join('') + decoder.decode();
    } catch {
      throw new PayloadError();
    }
  };
  return { text, binary: () => byteaText(joined(pieces)) };
}

function bound(parameter: Parameter, payload: Payload | null): Value {
  if (parameter === null || typeof parameter === 'string') return parameter;
  if (payload === null) return null;
  return parameter.payload === 'binary' ? payload.binary() : payload.text();
}

/** All of a payload; null where it is larger than `limit` bytes. Rejects with what it throws. */
async function collected(
  payload: Exclude<TransactionPayload, Uint8Array>,
  limit: number,
): Promise<readonly Uint8Array[] | null> {
  const pieces = new Pieces();
  let size = 0;
  for await (const piece of payload) {
    size += piece.length;
    if (size > limit) return null;
    pieces.push(piece);
  }
  return pieces.end();
}

/** The lines of EXPLAIN's text format, a row for each. */
const linesOf = ({ rows }: BatchResult): Uint8Array =>
  joined(rows.flatMap(([line]) => [bytesOf(line, undefined, false) ?? new Uint8Array(), Uint8Array.of(NEWLINE)]));

function completed(
  request: TransactionRequest,
  results: readonly BatchResult[],
): Pick<TransactionResult, 'statements' | 'body' | 'length'> {
  const statements: StatementResult[] = [];
  let body: ResultBody | null = null;
  let length = 0;
  for (const [i, { result: shape }] of request.statements.entries()) {
    const result = results[i];
    if (result === undefined) continue;
    let columns: readonly (string | null)[] = [];
    let bytes: Uint8Array | null = null;
    const row = result.rows.at(-1);
    if (shape.kind === 'row' && row !== undefined) {
      columns = row.map((cell, column) => (column === shape.body ? null : textOf(cell)));
      if (shape.body !== null) bytes = bytesOf(row[shape.body], result.types[shape.body], shape.binary === true);
    } else if (shape.kind === 'lines') bytes = linesOf(result);
    statements.push({ rows: result.count, columns });
    if (bytes !== null && body === null) {
      body = bytes;
      length = bytes.length;
    }
  }
  return { statements, body, length };
}

/** The failure of a batch that ran a plan. */
function failed(failure: BatchFailure, plan: TransactionPlan, request: TransactionRequest): TransactionFailure {
  switch (failure.kind) {
    case 'database': {
      const { code, message, detail, hint } = failure;
      const statement = statementOf(failure, plan);
      if (plan.roleGuard >= 0 && statement === -1 && isRoleGuardFailure(code, message)) return privilegedRole;
      return { kind: 'database', code, message, detail, hint, statement };
    }
    case 'connect':
      return notConnected(failure.message);
    case 'lost':
      return connectionLost(failure.message);
    case 'unanswered':
      return unanswered(request, failure.message);
    case 'cancelled':
      return callerGone;
    default:
      return failure satisfies never;
  }
}

/** The index in the request's own list: -1 before it. Where a driver is not told, guards are known by what they say. */
function statementOf(
  { statement, code, message }: Extract<BatchFailure, { readonly kind: 'database' }>,
  { preface }: TransactionPlan,
): number | null {
  if (statement === 'unknown') {
    if (isRoleGuardFailure(code, message)) return -1;
    return readGuardFailure(code, message) === null ? 0 : 1;
  }
  if (statement === null) return null;
  return statement < preface.length ? -1 : statement - preface.length;
}

export class DatabaseHop implements Hop {
  readonly #driver: DatabaseDriver;
  readonly #facts: () => DatabaseFacts | null;

  /** `facts`: as of the last load; null before the first. */
  constructor(driver: DatabaseDriver, facts: () => DatabaseFacts | null) {
    this.#driver = driver;
    this.#facts = facts;
  }

  async transaction(
    request: TransactionRequest,
    payload: TransactionPayload | null,
    signal: CancelSignal | null,
  ): Promise<TransactionOutcome> {
    const facts = this.#facts();
    if (facts === null) return { ok: false, snapshot: null, failure: notLoaded };
    const { rule, roles, planner, version: snapshot } = facts;
    const { maxBodySize } = facts.config;
    const given = payload instanceof Uint8Array ? [payload] : payload;
    const pieces = given === null ? null : await collected(given, maxBodySize);
    if (given !== null && pieces === null) {
      const failure = refuse(413, 'size', `The request body is larger than ${maxBodySize} bytes.`);
      return { ok: false, snapshot, failure };
    }
    // The token was verified in this process: role and claims are the worker's own.
    const { role, claims } = request;
    const decision = rule.decide(role);
    if (decision.kind === 'refused') return { ok: false, snapshot, failure: decision.failure };
    const guarded = decision.kind === 'guard';
    const plan = planner.plan(
      request,
      { role, claims },
      {
        roleSettings: roles.settings.get(role) ?? [],
        roleIsolation: roles.isolation.get(role) ?? null,
        plainDefaults: false,
        guarded,
      },
    );
    let own: readonly BatchStatement[];
    try {
      own = statementsOf(request, payloadOf(pieces));
    } catch (error) {
      if (!(error instanceof PayloadError)) throw error;
      return { ok: false, snapshot, failure: notUtf8 };
    }
    const statements = [...plan.preface, ...own];
    const sent = facts.config.logQuery ? { sent: statements.map(({ text }) => text) } : {};
    const transaction = plan.transaction ?? { isolation: 'read committed', end: 'commit', readOnly: false };
    const outcome = await this.#driver.run({ transaction, statements }, signal);
    if (!outcome.ok) return { ok: false, snapshot, failure: failed(outcome.failure, plan, request), ...sent };
    if (guarded) rule.passed(role);
    return { ok: true, snapshot, ...completed(request, outcome.results.slice(plan.preface.length)), ...sent };
  }
}

function statementsOf(request: TransactionRequest, payload: Payload | null): readonly BatchStatement[] {
  return request.statements.map(({ text, parameters }) => ({
    text,
    parameters: parameters.map((parameter) => bound(parameter, payload)),
  }));
}

/** As PostgreSQL says it of bytes that it is sent. */
const notUtf8: TransactionFailure = {
  kind: 'database',
  code: '22021',
  message: 'invalid byte sequence for encoding "UTF8"',
  detail: null,
  hint: null,
  statement: 0,
};
