/** Asks over HTTP, and knows what every answer has to be and which rows may be in the database when everything is over. */
import type postgres from 'postgres';
import { Progress } from '../amount.ts';
import type { Random } from '../random.ts';
import type { Answer } from './client.ts';
import { type Kind, type Question, question } from './questions.ts';

/** What the requests came to. */
export interface Tally {
  readonly requests: number;
  /** Answers as they were to be, of what succeeds and of what is refused. */
  readonly good: number;
  /** Errors, by status and code: nothing has been written. */
  readonly failed: ReadonlyMap<string, number>;
  /** Outcomes that nobody knows. */
  readonly unknown: number;
  /** Questions that were given up without an answer. */
  readonly givenUp: number;
  readonly mistakes: readonly string[];
}

export interface OracleOptions {
  readonly ask: (question: Question) => Promise<Answer>;
  readonly roles: readonly [string, ...string[]];
  readonly random: Random;
  /** Begins every nonce. */
  readonly run: string;
  readonly kinds: readonly [Kind, ...Kind[]];
  /** The errors, `<status> <code>`, that the faults may lead to. */
  readonly expected: RegExp;
  /** Whether the bodies of all answers stream, so that any may break off: those of a worker that is not in the pooler's process. */
  readonly streams: boolean;
  /** How many requests are meant to be made. */
  readonly requests: number;
}

export class HttpOracle {
  readonly #options: OracleOptions;
  readonly #progress: Progress;
  #number = 0;
  #good = 0;
  #givenUp = 0;
  readonly #failed = new Map<string, number>();
  readonly #mistakes: string[] = [];
  /** Rows that must be there, and rows of whose requests nobody knows the outcome; with who wrote them. */
  readonly #written = new Map<string, string>();
  readonly #unknown = new Map<string, string>();
  readonly #shapes = new Set<string>();
  #bumps = 0;
  #bumpsUnknown = 0;

  constructor(options: OracleOptions) {
    this.#options = options;
    this.#progress = new Progress(`requests, ${options.run.replaceAll('_', ' ')}`, options.requests);
  }

  /** Sends one request and judges its answer: true where it is as without any fault. Never rejects. */
  async request(): Promise<boolean> {
    const { ask, random, roles, kinds, run } = this.#options;
    const nonce = `${run}-${this.#number++}`;
    const asked = question(random.pick(kinds), nonce, random.pick(roles), random);
    const answer = await ask(asked);
    this.#progress.count();
    const good = this.#judge(asked, answer);
    // As a client would: otherwise all requests are used up while something is away.
    if (!good) await new Promise((resolve) => setTimeout(resolve, 20));
    return good;
  }

  /** Answers as they were to be, so far. */
  get good(): number {
    return this.#good;
  }

  /** Compares what was answered with what is in the database. */
  async tally(sql: postgres.Sql): Promise<Tally> {
    const rows = await sql<{ nonce: string; who: string; claims: string }[]>`
      select nonce, who, claims from api.ledger where nonce like ${`${this.#options.run}-%`}`;
    const found = new Set<string>();
    for (const { nonce, who, claims } of rows) {
      found.add(nonce);
      const claimed: unknown = JSON.parse(claims);
      const role = this.#written.get(nonce) ?? this.#unknown.get(nonce);
      if (role === undefined) this.#mistakes.push(`the row ${nonce} should not exist`);
      else if (
        role !== who ||
        Reflect.get(Object(claimed), 'nonce') !== nonce ||
        Reflect.get(Object(claimed), 'role') !== who
      )
        this.#mistakes.push(`the row ${nonce} of ${role} was written as ${who} with ${claims}`);
    }
    for (const nonce of this.#written.keys()) if (!found.has(nonce)) this.#mistakes.push(`the row ${nonce} is missing`);
    const shapes = await sql<{ nonce: string }[]>`
      select nonce from api.shape where nonce like ${`${this.#options.run}-%`}`;
    const shaped = new Set(shapes.map(({ nonce }) => nonce));
    for (const nonce of this.#shapes) if (!shaped.has(nonce)) this.#mistakes.push(`the shape ${nonce} is missing`);
    for (const nonce of shaped) {
      if (!this.#shapes.has(nonce) && !this.#unknown.has(nonce))
        this.#mistakes.push(`the shape ${nonce} should not exist`);
    }
    const [counted] = await sql<{ n: number }[]>`select sum(n)::int as n from api.counter`;
    const bumps = (counted?.n ?? 0) - this.#bumps;
    if (bumps < 0 || bumps > this.#bumpsUnknown) this.#mistakes.push(`${bumps} counts too many in api.counter`);
    return {
      requests: this.#number,
      good: this.#good,
      failed: this.#failed,
      unknown: this.#unknown.size,
      givenUp: this.#givenUp,
      mistakes: this.#mistakes,
    };
  }

  /** Whether it was answered as without any fault. */
  #judge(asked: Question, answer: Answer): boolean {
    if (answer.kind === 'answered' && answer.status < 300) return this.#succeeded(asked, answer);
    if (answer.kind === 'impatient') {
      this.#givenUp++;
      this.#uncertain(asked);
      return false;
    }
    if (answer.kind === 'lost') {
      const { kind } = asked;
      // The client's own doing; or an answer that had begun when its source was lost.
      const begun = answer.status !== null && answer.status < 300 && (isLarge(kind) || this.#options.streams);
      const allowed = kind === 'abandoned' || begun;
      if (!allowed) this.#mistakes.push(`${kind} ${asked.nonce}: lost (${answer.status}), ${answer.reason}`);
      if (begun && !couldBegin(answer.text))
        this.#mistakes.push(`${kind} ${asked.nonce}: broken off behind ${shown(answer.text)}`);
      this.#uncertain(asked);
      return kind === 'abandoned';
    }
    const code = codeOf(answer.text);
    const error = `${answer.status} ${code}`;
    if (error === asked.refusal) {
      this.#good++;
      return true;
    }
    this.#failed.set(error, (this.#failed.get(error) ?? 0) + 1);
    if (!this.#options.expected.test(error))
      this.#mistakes.push(`${asked.kind} ${asked.nonce}: ${answer.status} ${answer.text}`);
    if (code === 'EDGE002') {
      if (asked.method === 'GET')
        this.#mistakes.push(`${asked.kind} ${asked.nonce}: a read has no outcome to be unknown`);
      this.#uncertain(asked);
    }
    return false;
  }

  #succeeded(asked: Question, answer: Answer & { readonly kind: 'answered' }): boolean {
    const { kind, nonce, role, writes } = asked;
    if (asked.refusal !== null) this.#mistakes.push(`${kind} ${nonce}: was to be refused, and got ${answer.status}`);
    else if (!isAnswer(asked, answer.text))
      this.#mistakes.push(`${kind} ${nonce} of ${role}: answered with ${shown(answer.text)}`);
    else this.#good++;
    if (kind === 'shape') this.#shapes.add(nonce);
    else if (writes === 'always') this.#written.set(nonce, role);
    if (kind === 'bump') this.#bumps++;
    return true;
  }

  #uncertain({ kind, nonce, role, writes }: Question): void {
    if (writes === 'always') this.#unknown.set(nonce, role);
    if (kind === 'bump') this.#bumpsUnknown++;
  }
}

/** Whether the body streams: large ones do in any program. */
export const isLarge = (kind: Kind): boolean => kind === 'large' || kind === 'headed';

/** The beginning and the end of a text, which may be long. */
const shown = (text: string): string => (text.length < 600 ? text : `${text.slice(0, 300)} … ${text.slice(-300)}`);

/** Whether an answer may begin so: all of them are in ASCII, and a filler is of one letter. */
const couldBegin = (text: string): boolean =>
  /^[\x20-\x7e\n]*$/.test(text) && /^(?!.*"filler" : "(?!x*("|$)))/s.test(text);

function isAnswer({ answer }: Question, text: string): boolean {
  try {
    return answer(JSON.parse(text));
  } catch {
    return false;
  }
}

/** The code of an error's body; the whole text where there is none. */
function codeOf(text: string): string {
  try {
    const code: unknown = Reflect.get(Object(JSON.parse(text)), 'code');
    return typeof code === 'string' ? code : text;
  } catch {
    return text;
  }
}
