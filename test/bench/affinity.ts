/** What it is worth that a role's requests go to a connection that has its statements, on tables with row-level security. */
import postgres from 'postgres';
import { Pool } from '../../pooler/pool/index.ts';
import { connect, type Flight, parseConnectionString } from '../../pooler/wire/index.ts';
import { closedLoop, median } from './closed-loop.ts';
import { cpuTime } from './program.ts';

const SIZE = 8;
const ROLES = [8, 50, 150, 400] as const;
/** Half as many as connections: some are idle. Twice as many: whoever waits takes the next that is free. */
const CLIENTS = [4, 16] as const;
/** Statements of each role. */
const TABLES = 3;

const roleName = (i: number): string => `affinity_${i}`;

async function prepare(uri: string): Promise<void> {
  const sql = postgres(uri, { max: 1, onnotice: () => undefined });
  await sql
    .unsafe(`
    create schema if not exists affinity;
    ${Array.from(
      { length: TABLES },
      (_, i) => `
      create table if not exists affinity.note_${i} (id int primary key, owner name, team int, body text);
      create table if not exists affinity.member_${i} (team int, member name, primary key (team, member));
      alter table affinity.note_${i} enable row level security;
      drop policy if exists own on affinity.note_${i};
      create policy own on affinity.note_${i} using (owner = current_user or exists (
        select from affinity.member_${i} m where m.team = note_${i}.team and m.member = current_user));
      insert into affinity.note_${i} select n, 'affinity_' || n % 400, n % 10, 'x' from generate_series(1, 1000) n on conflict do nothing;`,
    ).join('')}
    do $$ begin
      for i in 0..399 loop
        if not exists (select from pg_roles where rolname = 'affinity_' || i) then
          execute format('create role %I', 'affinity_' || i);
        end if;
        execute format('grant usage on schema affinity to %I', 'affinity_' || i);
        execute format('grant select on all tables in schema affinity to %I', 'affinity_' || i);
      end loop;
    end $$;
    analyze;`)
    .simple();
  await sql.end();
}

function flightOf(role: string, table: number, scope: string): Flight {
  const settings = "select pg_catalog.set_config('search_path', $1, true), pg_catalog.set_config('role', $2, true)";
  const text =
    `select json_agg(r) from (select id, body, (select count(*) from affinity.member_${table} m where m.team = n.team) ` +
    `from affinity.note_${table} n where id = $1) r`;
  return {
    statements: [
      { text: settings, parameters: ['affinity', role], prepare: 'named', result: 'none' },
      { text, parameters: ['5'], types: [23], prepare: 'named', scope, result: 'row' },
    ],
    reset: false,
  };
}

/** How the requests of a role are told apart: by nothing, by the names of its statements, and by the connection as well. */
type Way = 'one name' | 'names' | 'affinity';

interface Cost {
  /** Microseconds of the database's processor time for each request. */
  readonly cpu: number;
  /** How many of a hundred statements had to be prepared. */
  readonly prepared: number;
}

async function measure(uri: string, roles: number, clients: number, way: Way, seconds: number): Promise<Cost> {
  const config = parseConnectionString(uri, {});
  const statementUses = { hits: 0, misses: 0 };
  const pool = new Pool({
    size: SIZE,
    acquisitionTimeout: 60_000,
    connect: () => connect(config, { statementUses }),
  });
  let n = 0;
  const ask = () => {
    // Requests of the roles come mixed, the same way each time.
    const role = roleName(Math.floor(((Math.imul(n++, 2654435761) >>> 0) / 2 ** 32) * roles));
    const flight = flightOf(role, n % TABLES, way === 'one name' ? '' : role);
    return pool.run(flight, { key: role, ...(way === 'affinity' ? { scope: role } : {}) });
  };
  const leases = await Promise.all(Array.from({ length: SIZE }, () => pool.acquire()));
  const backends = leases.map(({ connection }) => connection.processId);
  for (const lease of leases) lease.release();
  const callers = Array.from({ length: clients }, () => ask);
  // Until the statements that can be kept are prepared, and run often enough for a plan that is kept.
  await closedLoop(callers, 3 * seconds);
  const { misses } = statementUses;
  const before = await processorTime(backends);
  const { count } = await closedLoop(callers, seconds);
  const after = await processorTime(backends);
  const prepared = ((statementUses.misses - misses) / count) * 100;
  await pool.drain();
  return { cpu: ((after - before) / count) * 1000, prepared };
}

/** Milliseconds of processor time that processes have used. */
async function processorTime(pids: readonly number[]): Promise<number> {
  let time = 0;
  for (const pid of pids) time += (await cpuTime(pid)) ?? Number.NaN;
  return time;
}

/** What the statements cost with one name for all roles, with a name for each, and with affinity. Linux only. */
export async function measureAffinity(uri: string, rounds: number, seconds: number): Promise<string> {
  await prepare(uri);
  const lines = [
    `affinity: ${SIZE} connections, ${TABLES} statements of each role under row-level security`,
    '  processor time of the database as a multiple of that with affinity; statements prepared anew, of a hundred requests',
  ];
  for (const clients of CLIENTS) {
    for (const roles of ROLES) {
      const ways: readonly Way[] = ['one name', 'names', 'affinity'];
      const costs = new Map<Way, Cost[]>(ways.map((way) => [way, []]));
      for (let round = 0; round < rounds; round++) {
        for (const way of ways) costs.get(way)?.push(await measure(uri, roles, clients, way, seconds));
      }
      const middle = (way: Way, of: (cost: Cost) => number): number => median((costs.get(way) ?? []).map(of));
      const cpu = (way: Way): string =>
        (middle(way, (cost) => cost.cpu) / middle('affinity', (cost) => cost.cpu)).toFixed(2);
      const prepared = (way: Way): string => middle(way, (cost) => cost.prepared).toFixed(1);
      lines.push(
        `  ${String(clients).padStart(2)} clients, ${String(roles).padStart(3)} roles` +
          `   one name × ${cpu('one name')}   names × ${cpu('names')}, ${prepared('names')}   affinity ${prepared('affinity')}`,
      );
    }
  }
  return `${lines.join('\n')}\n`;
}
