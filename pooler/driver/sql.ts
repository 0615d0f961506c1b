/** `POST /sql`: one statement, or several in one transaction. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Cancellation } from '../../shared/hop/cancellation.ts';
import { type Claim, Memory } from '../memory.ts';
import type { Flight, FlightResult, FlightStatement } from '../wire/index.ts';
import { type Changes, isChange } from './changes.ts';
import { parseCredentials } from './credentials.ts';
import { DriverError, driverError } from './errors.ts';
import { failureOf } from './failure.ts';
import { type Pieces, readBody, sendError, sendJson } from './http.ts';
import type { Login, Logins } from './logins.ts';
import { type Query, readHeaders, readRequest, type SqlHeaders, type SqlRequest } from './request.ts';
import { Budget, ResultWriter } from './result.ts';
import { leavesNothing, prepareOf } from './statement.ts';

export interface SqlOptions {
  readonly logins: Logins;
  readonly changes: Changes;
  /** The network that a request comes from; empty where that is not known. */
  readonly networkOf: (request: IncomingMessage) => string;
  /** Bytes of a request's body, and of the results in an answer. */
  readonly maxRequest: number;
  readonly maxResponse: number;
  /** Bytes that all requests and answers may take together. */
  readonly maxBuffered: number;
  /** Whether the session is cleaned up even after a read that leaves nothing in it. */
  readonly alwaysResets: () => boolean;
  /** Told of every answer; `error` where it is a mistake of ours. */
  readonly onAnswer: (status: number, error: unknown) => void;
}

/** What stands for a status where the client did not wait for one. */
const GONE = 499;

type Prepare = Pick<FlightStatement, 'prepare' | 'since'>;

function statementOf({ text, parameters }: Query, prepare: Prepare, taker: ResultWriter): FlightStatement {
  return { text, parameters, ...prepare, inferred: true, result: 'rows', describe: true, taker };
}

/** Throws a DriverError where there is none, or where a token comes with it. */
function connectionStringOf(request: IncomingMessage): string {
  const { authorization, 'neon-connection-string': text } = request.headers;
  if (authorization !== undefined) {
    throw driverError('0A000', 'tokens are not accepted here: log in with a password', {
      hint: 'Leave authToken out, and put user and password into the connection string.',
    });
  }
  if (typeof text === 'string') return Buffer.from(text, 'latin1').toString();
  throw driverError('08001', 'the header Neon-Connection-String is missing');
}

/** What is sent, and who writes the result of each statement. */
interface Plan {
  readonly flight: Flight;
  readonly writers: readonly ResultWriter[];
}

interface Circumstances {
  readonly always: boolean;
  readonly since: number;
  readonly budget: Budget;
  readonly signal: Cancellation;
}

function planOf(asked: SqlRequest, headers: SqlHeaders, { always, since, budget, signal }: Circumstances): Plan {
  const queries = asked.kind === 'single' ? [asked.query] : asked.queries;
  // Whatever is no query may end the transaction on its way, and change what the texts after it mean.
  const once = queries.some(({ text }) => prepareOf(text) === 'unnamed');
  const prepare: Prepare = once ? { prepare: 'unnamed' } : { prepare: 'named', since };
  const writers: ResultWriter[] = [];
  const statements = queries.map((query) => {
    const format = { rawText: headers.rawText, arrayMode: query.arrayMode ?? headers.arrayMode };
    const writer = new ResultWriter(format, budget);
    writers.push(writer);
    return statementOf(query, prepare, writer);
  });
  const transaction = asked.kind === 'batch' ? { transaction: headers.transaction } : {};
  const reset = always || !queries.every(({ text }) => leavesNothing(text));
  return { writers, flight: { statements, reset, once, signal, ...transaction } };
}

function batchHeaders({ transaction, isolation }: SqlHeaders): readonly string[] {
  return [
    ...(isolation === null ? [] : ['Neon-Batch-Isolation-Level', isolation]),
    ...(transaction.readOnly === true ? ['Neon-Batch-Read-Only', 'true'] : []),
    ...(transaction.deferrable === true ? ['Neon-Batch-Deferrable', 'true'] : []),
  ];
}

export class SqlEndpoint {
  readonly #options: SqlOptions;

  readonly #memory: Memory;

  constructor(options: SqlOptions) {
    this.#options = options;
    this.#memory = new Memory(options.maxBuffered);
  }

  /** Answers, whatever becomes of it. `id` are the headers that every answer has. Never rejects. */
  async answer(request: IncomingMessage, response: ServerResponse, id: readonly string[]): Promise<void> {
    const gone = new Cancellation();
    response.once('close', () => {
      if (!response.writableFinished) gone.abort();
    });
    let user = '';
    try {
      const headers = readHeaders(request.headers);
      const found = this.#options.logins.find(parseCredentials(connectionStringOf(request)));
      user = found.user;
      // Nothing is read for somebody whose password is wrong.
      await this.#options.logins.verify(found, this.#options.networkOf(request), gone);
      if (gone.aborted) throw driverError('57014', 'the request was given up');
      const claim = this.#memory.claim(found.share);
      response.once('close', () => claim.end());
      const { kind, pieces } = await this.#run(found, request, headers, claim, gone);
      sendJson(response, kind === 'batch' ? [...id, ...batchHeaders(headers)] : id, pieces, claim);
      this.#options.onAnswer(200, null);
    } catch (error) {
      if (response.destroyed) {
        this.#options.onAnswer(GONE, null);
        return;
      }
      const { status, fields, cause } = failureOf(error, user);
      this.#options.onAnswer(status, fields.code === 'XX000' && status === 500 ? cause : null);
      sendError(request, response, id, status, fields);
    }
  }

  async #run(
    who: Login,
    request: IncomingMessage,
    headers: SqlHeaders,
    claim: Claim,
    gone: Cancellation,
  ): Promise<{ readonly kind: SqlRequest['kind']; readonly pieces: Pieces }> {
    const body = await readBody(request, this.#options.maxRequest, claim);
    const asked = readRequest(body.text);
    const budget = new Budget(this.#options.maxResponse, claim, () => gone.abort());
    const { logins, changes, alwaysResets } = this.#options;
    const circumstances = { always: alwaysResets(), since: changes.since, budget, signal: gone };
    const { flight, writers } = planOf(asked, headers, circumstances);
    const result = await logins.run(who, flight);
    if (result.results.some(({ tag }) => isChange(tag))) changes.happened();
    claim.giveBack(body.bytes);
    if (budget.lacking !== null) throw this.#tooLarge(budget.lacking, result);
    if (result.outcome === 'failed') throw result.error;
    const results = writers.map((writer, i) => {
      const statement = result.results[i];
      return statement === undefined ? [] : writer.end(statement);
    });
    return { kind: asked.kind, pieces: asked.kind === 'single' ? (results[0] ?? []) : joined(results) };
  }

  #tooLarge(lacking: 'size' | 'memory', { outcome }: FlightResult): DriverError {
    const detail = outcome === 'completed' ? 'What was asked for has been done.' : 'It was cancelled and rolled back.';
    const fields =
      lacking === 'size'
        ? {
            code: '54000',
            message: `the response is too large: ${this.#options.maxResponse} bytes are allowed`,
            hint: 'Ask for fewer rows at a time. EDGEREST_DRIVER_MAX_RESPONSE_SIZE of the pooler says how many bytes.',
          }
        : {
            code: '53400',
            message: 'the answers that have not been read yet leave no memory for this one',
            hint: `Read answers faster, or ask for fewer rows at a time. EDGEREST_DRIVER_MAX_BUFFERED of the pooler says how many bytes there are for all.`,
          };
    return new DriverError({ severity: 'ERROR', ...fields, detail }, 507);
  }
}

/** `{"results":[…]}`, small pieces put together. */
function joined(results: readonly Pieces[]): Pieces {
  const pieces: (string | Buffer)[] = [];
  let text = '{"results":[';
  for (const [i, result] of results.entries()) {
    if (i > 0) text += ',';
    for (const piece of result) {
      if (typeof piece === 'string') text += piece;
      else {
        pieces.push(text, piece);
        text = '';
      }
    }
  }
  return [...pieces, `${text}]}`];
}
