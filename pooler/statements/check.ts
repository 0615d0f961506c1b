/** Which messages of workers are taken: those that the worker makes of the API's requests, under one snapshot. */
import { type Refused, refuse } from '../../shared/hop/codec.ts';
import type { Parameter, ResultShape, TransactionRequest } from '../../shared/hop/types.ts';
import type { Routine, Snapshot } from '../../shared/snapshot/types.ts';
import { COLUMN, EARLY_BODY } from '../../shared/sql/columns.ts';
import type { KnownStatements } from './known.ts';
import type { Kind } from './main.ts';
import { isRequestFor, type Target } from './target.ts';

type Settings = TransactionRequest['settings'];

const sameSettings = (a: Settings, b: Settings): boolean =>
  a.length === b.length && a.every(([name, value], i) => b[i]?.[0] === name && b[i]?.[1] === value);

/** What the first statement of a list may be. */
type Main = Extract<Kind, { readonly kind: 'read' | 'write' | 'call' }>;

export class MessageCheck {
  readonly statements: KnownStatements;
  readonly #schemas: ReadonlySet<string>;
  readonly #settings: Snapshot['settings'];

  constructor(statements: KnownStatements) {
    this.statements = statements;
    this.#settings = statements.snapshot.settings;
    this.#schemas = new Set(this.#settings.dbSchemas);
  }

  /** Why a message is not taken; null when it is. */
  refusal(request: TransactionRequest): Refused | null {
    if (!this.#schemas.has(request.schema)) return refuse(403, 'schema', 'db-schemas does not list this schema.');
    const [first, second, ...more] = request.statements;
    if (first === undefined) return this.#refusalOf(request, ROOT) ?? settingsOf(request, null);
    const main = this.statements.kindOf(first.text);
    if (typeof main === 'number') return notOurs(0, main);
    if (main.kind === 'guard' || main.kind === 'estimate') return notOurs(0, 0);
    if (!isResultOf(main, first.result)) return otherResult(0);
    if (second !== undefined) {
      const next = this.statements.kindOf(second.text);
      if (typeof next === 'number') return notOurs(1, next);
      const fits = main.kind === 'read' ? next.kind === 'estimate' && next.table === main.table : next.kind === 'guard';
      if (!fits) return notOurs(1, 0);
      if (!isResultOf(next, second.result)) return otherResult(1);
    }
    if (more.length > 0) return notOurs(2, 0);
    if (!this.#areBounded(main, first.parameters)) {
      return refuse(403, 'rows', 'The message asks for more rows than db-max-rows.');
    }
    return this.#refusalOf(request, targetOf(main, request)) ?? settingsOf(request, main.kind === 'call' ? main : null);
  }

  /** Whether each number of rows is within `db-max-rows`. */
  #areBounded(main: Main, parameters: readonly Parameter[]): boolean {
    const { dbMaxRows } = this.#settings;
    if (main.kind === 'write' || main.limits === null || dbMaxRows === null) return true;
    return main.limits.every((limit) => {
      const value = parameters[limit - 1];
      return typeof value === 'string' && DIGITS.test(value) && Number(value) <= dbMaxRows;
    });
  }

  #refusalOf(request: TransactionRequest, target: Target): Refused | null {
    if (isRequestFor(request, target, this.#settings.dbRootSpec)) return null;
    return refuse(403, 'request', 'Method, path, schema or access are not those of a request for this.');
  }
}

const DIGITS = /^\d+$/;

const READS = ['GET', 'HEAD'];
const CALLS = [...READS, 'POST'];

/** Nothing but the API itself: the document, or its head. */
const ROOT: Target = { kind: 'root', methods: READS, access: ['read only'] };

const READ_ONLY = ['read only'] as const;
const READ_WRITE = ['read write'] as const;
const EITHER = [...READ_ONLY, ...READ_WRITE];

/** What a statement is about, and which requests may be for it. */
function targetOf(main: Main, { method }: TransactionRequest): Target {
  switch (main.kind) {
    case 'read':
      return { kind: 'relation', of: [main.table], methods: READS, access: READ_ONLY };
    case 'write':
      return { kind: 'relation', of: [main.table], methods: main.methods, access: READ_WRITE };
    case 'call': {
      const mayWrite = method === 'POST' && main.routines.some(({ volatility }) => volatility === 'volatile');
      return { kind: 'routine', of: main.routines, methods: CALLS, access: mayWrite ? EITHER : READ_ONLY };
    }
    default:
      return main satisfies never;
  }
}

/** Whether the worker wants this of the statement's result. */
function isResultOf(kind: Kind, result: ResultShape): boolean {
  switch (kind.kind) {
    case 'guard':
      return result.kind === 'none';
    case 'estimate':
      return result.kind === 'row' && result.body === null && result.binary !== true;
    default:
      if (result.kind !== 'row') return result.kind === kind.answer;
      return kind.answer === 'early row'
        ? result.body === EARLY_BODY && result.binary === true && result.stream !== true
        : kind.answer === 'row' && result.body === COLUMN.body && result.binary !== true;
  }
}

const otherResult = (statement: number): Refused =>
  refuse(403, 'statement', `Of statement ${statement + 1} another result is asked for than a worker wants.`);

const notOurs = (statement: number, at: number): Refused =>
  refuse(403, 'statement', `Statement ${statement + 1} is none that a worker makes, from character ${at + 1} on.`);

/** What a message adds to a transaction is the called function's own, all of it. */
function settingsOf(
  { settings, isolation }: TransactionRequest,
  called: { readonly routines: readonly Routine[] } | null,
): Refused | null {
  const owned =
    called === null
      ? settings.length === 0 && isolation === null
      : called.routines.some((routine) => routine.isolation === isolation && sameSettings(routine.settings, settings));
  return owned ? null : refuse(403, 'setting', 'No function that the message calls has these settings.');
}
