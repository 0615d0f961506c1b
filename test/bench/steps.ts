/**
 * What each step of a request costs in processor time, in this process: with the snapshot, the outcome and the roles that a
 * database gave once, and without a database from then on.
 */
import { fixedConfig } from '../../pooler/config/configuration.ts';
import { createLog } from '../../pooler/log.ts';
import { startPooler } from '../../pooler/start.ts';
import { type FlightPlan, FlightWriter } from '../../pooler/transaction/flight.ts';
import { Batch } from '../../pooler/wire/batch.ts';
import { encodeBatch } from '../../pooler/wire/encode.ts';
import { StatementRegistry } from '../../pooler/wire/statements.ts';
import { Writer } from '../../pooler/wire/writer.ts';
import { type Config, resolveConfig } from '../../shared/config/resolve.ts';
import type { Hop, TransactionOutcome, TransactionRequest } from '../../shared/hop/types.ts';
import type { Identity } from '../../worker/auth/authenticator.ts';
import { type Backend, handle } from '../../worker/handle.ts';
import { planRequest } from '../../worker/plan/plan.ts';
import type { Plan } from '../../worker/plan/types.ts';
import { parseRequest } from '../../worker/request/parse-request.ts';
import type { ApiRequest, RawRequest } from '../../worker/request/types.ts';
import { respond } from '../../worker/response/respond.ts';
import { compile, type DatabasePlan } from '../../worker/sql/statements.ts';
import { nextState, type State } from '../../worker/state.ts';
import { payloadOf, transactionRequest } from '../../worker/transaction.ts';
import type { Login } from './bare.ts';
import { median } from './closed-loop.ts';
import { benchToken, type LoadName, loads } from './loads.ts';
import { variablesFor } from './program.ts';

/** Repetitions whose mean is one value; of the values the middle one counts. */
const BATCH = 2000;
const BATCHES = 15;

interface Step {
  readonly name: string;
  readonly run: () => unknown;
}

/** Microseconds for each run of a step. */
async function microseconds({ run }: Step): Promise<number> {
  const values: number[] = [];
  for (let batch = 0; batch < BATCHES; batch++) {
    const before = process.cpuUsage();
    for (let i = 0; i < BATCH; i++) {
      const value = run();
      if (value instanceof Promise) await value;
    }
    const { user, system } = process.cpuUsage(before);
    values.push((user + system) / BATCH);
  }
  return median(values);
}

function rawRequest(name: LoadName): RawRequest & { readonly body: Uint8Array } {
  const { method, target, body } = loads[name];
  const content: readonly (readonly [string, string])[] = [
    ['content-type', 'application/json'],
    ['content-length', String(body.length)],
  ];
  return {
    method,
    target,
    headers: [
      ['host', '127.0.0.1:3000'],
      ['user-agent', 'bench'],
      ['authorization', `Bearer ${benchToken()}`],
      ...(body === '' ? [] : content),
    ],
    body: Buffer.from(body),
  };
}

function asksDatabase(plan: Plan): DatabasePlan {
  if (plan.kind === 'read' || plan.kind === 'mutate' || plan.kind === 'call') return plan;
  throw new TypeError(`a plan to ${plan.kind} asks no database`);
}

interface Loaded {
  readonly config: Config;
  readonly state: State;
  readonly hop: Hop;
}

/** The steps of one load, each with what the one before it gives. */
async function stepsOf(name: LoadName, { config, state, hop }: Loaded): Promise<readonly Step[]> {
  const raw = rawRequest(name);
  const token = benchToken();
  const { settings } = state.schema.snapshot;
  const identity: Identity = await state.authenticator.authenticate(token);
  const parse = (): ApiRequest => parseRequest(raw, settings);
  const request = parse();
  const plan = (): DatabasePlan => asksDatabase(planRequest(request, state.schema));
  const planned = plan();
  const facts = {
    preferences: request.preferences,
    topLevelRange: request.topLevelRange,
    maxRows: settings.dbMaxRows,
  };
  const statements = compile(planned, facts);
  const transaction = (): TransactionRequest =>
    transactionRequest(planned, request, { identity, token }, state.schema.version, statements);
  const asked = transaction();
  const body = payloadOf(request);
  if (body !== null && !(body instanceof Uint8Array)) throw new Error(`${name} has a large body`);
  const payload = body === null ? null : [body];
  const flights = new FlightWriter(config);
  const flight = (): FlightPlan =>
    flights.write(asked, payload, identity, {
      roleSettings: [],
      roleIsolation: null,
      plainDefaults: true,
      guarded: false,
      sink: null,
    });
  const written = flight();
  const outcome: TransactionOutcome = await hop.transaction(asked, payload, null);
  if (!outcome.ok) throw new Error(`${name} failed: ${JSON.stringify(outcome.failure)}`);
  const answered = Promise.resolve(outcome);
  const backend: Backend = {
    states: { current: () => state, newerThan: async () => null, seen: () => undefined },
    hop: { transaction: () => answered },
  };
  return [
    { name: 'authenticate', run: () => state.authenticator.authenticate(token) },
    { name: 'parse', run: parse },
    { name: 'plan', run: plan },
    { name: 'compile', run: () => compile(planned, facts) },
    { name: 'transaction', run: transaction },
    { name: 'flight', run: flight },
    { name: 'encode', run: encoding(written) },
    { name: 'respond', run: () => respond(planned, request, outcome, settings) },
    { name: 'handle', run: () => handle(raw, backend, null) },
  ];
}

/** Writes the flight as it goes to a connection that has its statements prepared. */
function encoding({ statements }: FlightPlan): () => unknown {
  const writer = new Writer();
  const registry = new StatementRegistry(256);
  const encode = (): Batch => {
    const batch = new Batch(statements);
    encodeBatch(writer, batch, registry, 1);
    writer.discard();
    return batch;
  };
  for (const statement of encode().named) if (statement !== null) statement.state = 'ready';
  return encode;
}

/** Loads what the steps need from the database, closes it again, and measures. */
async function load(login: Login, names: readonly LoadName[]): Promise<ReadonlyMap<LoadName, readonly Step[]>> {
  const { config, errors } = resolveConfig({ env: variablesFor(login) });
  if (config === null) throw new Error(errors.join('\n'));
  const pooler = await startPooler({
    configuration: fixedConfig(config),
    trust: () => ({ kind: 'process' }),
    log: createLog('error'),
    onFatal: () => undefined,
  });
  try {
    const loaded = pooler.source.current();
    if (loaded === null || config.jwtKeys === null) throw new Error('the schema was not loaded');
    const state = nextState(null, loaded.snapshot, { keys: config.jwtKeys });
    const steps = new Map<LoadName, readonly Step[]>();
    for (const name of names) steps.set(name, await stepsOf(name, { config, state, hop: pooler.hop }));
    return steps;
  } finally {
    await pooler.close(1000);
  }
}

/** Measures the steps of these loads and gives a line for each step, and the figures as JSON at the end. */
export async function measureSteps(names: readonly LoadName[], login: Login): Promise<string> {
  const figures: Record<string, Record<string, number>> = {};
  for (const [name, steps] of await load(login, names)) {
    // All of them once before any is measured: the code is then compiled for every load alike.
    for (const step of steps) {
      const took = await microseconds(step);
      figures[step.name] = { ...figures[step.name], [name]: Number(took.toFixed(2)) };
    }
  }
  const lines = [`${'µs of processor time'.padEnd(22)}${names.map((name) => name.padStart(10)).join('')}`];
  for (const [step, byLoad] of Object.entries(figures)) {
    lines.push(step.padEnd(22) + names.map((name) => (byLoad[name] ?? 0).toFixed(2).padStart(10)).join(''));
  }
  return `${lines.join('\n')}\n${JSON.stringify(figures)}\n`;
}
