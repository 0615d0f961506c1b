/** Knows what every answer has to be, and which rows may be in the database when everything is over. */
import type postgres from 'postgres';
import type { Pool } from '../../pooler/pool/index.ts';
import { PoolError } from '../../pooler/pool/index.ts';
import { ConnectionError, type Flight, type FlightResult, type FlightStatement } from '../../pooler/wire/index.ts';
import { Progress } from './amount.ts';
import type { Random } from './random.ts';

/** What a request does, and what must become of the row that it writes, if it does. */
type Kind = 'read' | 'write' | 'guarded' | 'rolled back' | 'serializable' | 'leaves state' | 'large' | 'cancelled';

const kinds: readonly [Kind, ...Kind[]] = [
  'read',
  'read',
  'write',
  'guarded',
  'rolled back',
  'serializable',
  'leaves state',
  'large',
  'cancelled',
];

export const schema = (roles: readonly string[]) => `
  create schema oracle;
  create table oracle.ledger (nonce text primary key, who name not null, claims text not null);
  create function oracle.leave_state() returns void language plpgsql as $$ begin
    perform set_config('search_path', 'pg_temp', false), set_config('request.claims', 'left behind', false),
      set_config('role', current_user, false), pg_advisory_lock(42);
    execute 'create temp table if not exists ledger (a int)';
    execute 'listen left_behind';
  end $$;
  ${roles.map((role) => `create role ${role}; grant usage on schema oracle to ${role}; grant insert, select on oracle.ledger to ${role};`).join('\n')}`;

/** What the requests came to. */
export type Tally = {
  readonly requests: number;
  readonly completed: number;
  readonly failed: number;
  readonly refused: number;
  readonly lost: number;
  readonly unknown: number;
  readonly mistakes: readonly string[];
};

export class Oracle {
  readonly #pool: Pool;
  readonly #roles: readonly [string, ...string[]];
  readonly #random: Random;
  readonly #run: string;
  readonly #progress: Progress;
  #number = 0;
  #completed = 0;
  #failed = 0;
  #refused = 0;
  #lost = 0;
  readonly #mistakes: string[] = [];
  /** Rows that must be there. */
  readonly #written = new Set<string>();
  /** Rows of whose requests nobody knows the outcome. */
  readonly #unknown = new Set<string>();

  /** `run` begins every nonce; so many requests are meant to be made. */
  constructor(pool: Pool, roles: readonly [string, ...string[]], random: Random, run: string, requests: number) {
    this.#progress = new Progress(`flights with ${run.replaceAll('_', ' ')}`, requests);
    this.#pool = pool;
    this.#roles = roles;
    this.#random = random;
    this.#run = run;
  }

  /** Sends one request and judges its answer. Never rejects. */
  async request(): Promise<void> {
    const nonce = `${this.#run}-${this.#number++}`;
    this.#progress.count();
    const role = this.#random.pick(this.#roles);
    const kind = this.#random.pick(kinds);
    const claims = JSON.stringify({ role, nonce });
    // Without a deadline a server that waits for the rest of a garbled message is waited for, too.
    const deadline = Date.now() + 2000;
    try {
      const flight = { ...this.#flight(kind, nonce, role, claims), deadline };
      const result = await this.#pool.run(flight, { scope: role, deadline });
      this.#judge(kind, nonce, role, claims, result);
    } catch (error) {
      if (error instanceof PoolError) this.#refused++;
      else if (error instanceof ConnectionError) {
        this.#lost++;
        if (error.outcomeUnknown && kind !== 'guarded' && kind !== 'rolled back') this.#unknown.add(nonce);
      } else this.#mistakes.push(`${kind} ${nonce}: ${error}`);
      // As a client would: otherwise all requests are used up while the database is away.
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  async tally(sql: postgres.Sql): Promise<Tally> {
    const rows = await sql<{ nonce: string; who: string; claims: string }[]>`
      select nonce, who, claims from oracle.ledger where nonce like ${`${this.#run}-%`}`;
    const found = new Set<string>();
    for (const { nonce, who, claims } of rows) {
      found.add(nonce);
      const claimed: unknown = JSON.parse(claims);
      if (Reflect.get(Object(claimed), 'nonce') !== nonce || Reflect.get(Object(claimed), 'role') !== who) {
        this.#mistakes.push(`the row ${nonce} was written as ${who} with ${claims}`);
      }
      if (!this.#written.has(nonce) && !this.#unknown.has(nonce))
        this.#mistakes.push(`the row ${nonce} should not exist`);
    }
    for (const nonce of this.#written) if (!found.has(nonce)) this.#mistakes.push(`the row ${nonce} is missing`);
    return {
      requests: this.#number,
      completed: this.#completed,
      failed: this.#failed,
      refused: this.#refused,
      lost: this.#lost,
      unknown: this.#unknown.size,
      mistakes: this.#mistakes,
    };
  }

  #flight(kind: Kind, nonce: string, role: string, claims: string): Flight {
    const settings = statement(
      `select pg_catalog.set_config('search_path', '"oracle"', true), pg_catalog.set_config('role', $1, true),
         pg_catalog.set_config('request.claims', $2, true)`,
      [role, claims],
    );
    const size = kind === 'large' ? 50_000 + this.#random.below(200_000) : 10;
    const echo = statement(
      `select $1::text, current_user::text, pg_catalog.current_setting('request.claims'), pg_catalog.repeat('x', $2)`,
      [nonce, String(size)],
      role,
    );
    const insert = statement(
      `insert into ledger select $1, current_user, pg_catalog.current_setting('request.claims')
         returning nonce, current_user::text, claims, pg_catalog.repeat('x', $2)`,
      [nonce, String(size)],
      role,
    );
    const serializable = { isolation: 'serializable', readOnly: false } as const;
    switch (kind) {
      case 'read':
        return { statements: [settings, echo], reset: false };
      case 'large':
        return { statements: [settings, echo], reset: this.#random.chance(0.5) };
      case 'write':
        return { statements: [settings, insert], reset: true };
      case 'guarded':
        return {
          statements: [settings, insert, statement('select ($1::text)::pg_catalog.int4', ['guard'])],
          reset: true,
        };
      case 'rolled back':
        return { statements: [settings, insert], transaction: { ...serializable, end: 'rollback' }, reset: true };
      case 'serializable':
        return { statements: [settings, insert], transaction: { ...serializable, end: 'commit' }, reset: true };
      case 'leaves state':
        return { statements: [settings, insert, statement('select oracle.leave_state()', [])], reset: true };
      case 'cancelled': {
        const sleep = statement('select pg_catalog.pg_sleep(0.02)', []);
        const controller = new AbortController();
        setTimeout(() => controller.abort(), this.#random.below(30));
        return { statements: [settings, insert, sleep], reset: true, signal: controller.signal };
      }
    }
  }

  #judge(kind: Kind, nonce: string, role: string, claims: string, result: FlightResult): void {
    if (result.outcome === 'failed') {
      this.#failed++;
      const { code, message } = result.error;
      const expected =
        result.error.fatal ||
        (kind === 'guarded' && code === '22P02') ||
        (result.cancelled !== null && code === '57014') ||
        code === '40001';
      if (!expected) this.#mistakes.push(`${kind} ${nonce}: ${code} ${message}`);
      return;
    }
    this.#completed++;
    if (kind === 'guarded') this.#mistakes.push(`${kind} ${nonce}: the guard did not hold`);
    const row = result.results[1]?.row;
    const got = [row?.text(0), row?.text(1), row?.text(2), /^x+$/.test(row?.text(3) ?? '')];
    if (got.join() !== [nonce, role, claims, true].join())
      this.#mistakes.push(`${kind} ${nonce}: answered with ${got.join()}`);
    if (kind === 'write' || kind === 'serializable' || kind === 'leaves state' || kind === 'cancelled')
      this.#written.add(nonce);
  }
}

function statement(text: string, parameters: readonly string[], scope = ''): FlightStatement {
  return { text, parameters, prepare: 'named', scope, result: 'row' };
}
