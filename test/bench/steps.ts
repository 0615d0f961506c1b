/**
 * What each step of a request costs in processor time, in this process: with the snapshot, the outcome and the roles that a
 * database gave once, and without a database from then on.
 */
import { fixedConfig } from '../../pooler/config/configuration.ts';
import { startPooler } from '../../pooler/start.ts';
import { MessageCheck } from '../../pooler/statements/check.ts';
import { KnownStatements } from '../../pooler/statements/known.ts';
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
import { bearerToken } from '../../worker/request/headers.ts';
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

/** Runs between two looks at the clock. Few, so that their inputs die young, as those of requests do. */
const BATCH = 250;
/** Batches of which the middle one counts, and those before, in which the code is compiled. */
const BATCHES = 61;
const WARM_UP_BATCHES = 120;

interface Step {
  readonly name: string;
  /** Runs it so many times, each time on an input of its own, and resolves with the microseconds of processor time of a run. */
  readonly measure: (runs: number) => Promise<number>;
}

/** A step whose inputs are prepared beforehand: strings are as new to it as those of a request just read. */
const step = <T>(name: string, prepare: () => T, run: (input: T) => unknown): Step => ({
  name,
  measure: async (runs) => {
    const inputs = Array.from({ length: runs }, prepare);
    const before = process.cpuUsage();
    for (const input of inputs) {
      const value = run(input);
      if (value instanceof Promise) await value;
    }
    const { user, system } = process.cpuUsage(before);
    return (user + system) / runs;
  },
});

async function microseconds({ measure }: Step): Promise<number> {
  const values: number[] = [];
  for (let batch = 0; batch < BATCHES; batch++) values.push(await measure(BATCH));
  return median(values);
}

/** A string that nobody has seen before, as a server reads it from a socket. */
const fresh = (text: string): string => Buffer.from(text, 'latin1').toString('latin1');

function rawRequest(name: LoadName, token: string): RawRequest & { readonly body: Uint8Array } {
  const { method, target, body } = loads[name];
  const headers: [string, string][] = [
    ['host', '127.0.0.1:3000'],
    ['user-agent', 'bench'],
    ['authorization', `Bearer ${token}`],
  ];
  if (body !== '') headers.push(['content-type', 'application/json'], ['content-length', String(body.length)]);
  return {
    method,
    target: fresh(target),
    headers: headers.map(([header, value]) => [fresh(header), fresh(value)]),
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

/** The steps of one load, each on what the ones before it give. */
async function stepsOf(name: LoadName, { config, state, hop }: Loaded): Promise<readonly Step[]> {
  const token = benchToken();
  const { settings, version } = state.schema.snapshot;
  const identity: Identity = await state.authenticator.authenticate(token);
  const caller = { identity, token, address: null };

  const raw = () => rawRequest(name, token);
  const parsed = (): ApiRequest => parseRequest(raw(), settings);
  const plan = (request: ApiRequest): DatabasePlan => asksDatabase(planRequest(request, state.schema));
  const planned = () => {
    const request = parsed();
    return { request, plan: plan(request) };
  };
  const statements = ({ request, plan }: ReturnType<typeof planned>) => {
    const { preferences, topLevelRange } = request;
    return compile(plan, { preferences, topLevelRange, maxRows: settings.dbMaxRows });
  };
  const compiled = () => {
    const from = planned();
    return { ...from, statements: statements(from) };
  };
  const transaction = ({ plan, request, statements }: ReturnType<typeof compiled>): TransactionRequest =>
    transactionRequest(plan, request, caller, version, statements);
  const known = new KnownStatements(state.schema.snapshot);
  const check = new MessageCheck(known);
  const flights = new FlightWriter(config);
  const flight = (asked: TransactionRequest): FlightPlan =>
    flights.write(asked, payload, identity, {
      roleSettings: [],
      roleIsolation: null,
      plainDefaults: true,
      guarded: false,
      sink: null,
      callsCode: (request) => known.callCode(request.statements),
    });
  const asked = (): TransactionRequest => transaction(compiled());

  const body = payloadOf(parsed());
  if (body !== null && !(body instanceof Uint8Array)) throw new Error(`${name} has a large body`);
  const payload = body === null ? null : [body];
  const outcome: TransactionOutcome = await hop.transaction(asked(), payload, null);
  if (!outcome.ok) throw new Error(`${name} failed: ${JSON.stringify(outcome.failure)}`);
  const backend: Backend = {
    states: {
      current: () => state,
      newerThan: async () => null,
      afterRefusal: async () => null,
      seen: () => undefined,
    },
    hop: { transaction: async () => outcome },
  };
  return [
    step('authenticate', raw, ({ headers }) => state.authenticator.authenticate(bearerToken(headers))),
    step('parse', raw, (request) => parseRequest(request, settings)),
    step('plan', parsed, plan),
    step('compile', planned, statements),
    step('transaction', compiled, transaction),
    step('check', asked, (request) => check.refusal(request)),
    step('flight', asked, flight),
    step('encode', () => flight(asked()), encoding(flight(asked()))),
    step('respond', planned, ({ plan, request }) => respond(plan, request, outcome, settings)),
    step('handle', raw, (request) => handle(request, backend, null)),
  ];
}

/** Writes a flight as it goes to a connection that has the statements of `first` prepared. */
function encoding(first: FlightPlan): (flight: FlightPlan) => unknown {
  const writer = new Writer();
  const registry = new StatementRegistry(256);
  const encode = ({ statements }: FlightPlan): Batch => {
    const batch = new Batch(statements);
    encodeBatch(writer, batch, registry, 1);
    writer.discard();
    return batch;
  };
  for (const statement of encode(first).named) if (statement !== null) statement.state = 'ready';
  return encode;
}

/** Loads what the steps need from the database, closes it again, and measures. */
async function load(login: Login, names: readonly LoadName[]): Promise<ReadonlyMap<LoadName, readonly Step[]>> {
  const { config, errors } = resolveConfig({ env: variablesFor(login) });
  if (config === null) throw new Error(errors.join('\n'));
  const pooler = await startPooler({
    configuration: fixedConfig(config),
    trust: () => ({ kind: 'process' }),
    observe: () => undefined,
    onFatal: () => undefined,
  });
  try {
    const loaded = pooler.source.current();
    if (loaded === null) throw new Error('the schema was not loaded');
    const state = nextState(null, loaded.snapshot, loaded.keys);
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
  const stepsByLoad = await load(login, names);
  // First all of them in turn, so that the code is compiled for every load, as a server's is.
  for (let batch = 0; batch < WARM_UP_BATCHES; batch++) {
    for (const steps of stepsByLoad.values()) for (const { measure } of steps) await measure(BATCH / 10);
  }
  for (const [name, steps] of stepsByLoad) {
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
