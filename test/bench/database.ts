/** The bench's database: on a server that is given, or on one that is started for the run. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import postgres from 'postgres';
import { startCluster } from '../cluster.ts';
import type { Login } from './bare.ts';
import { LOGIN } from './loads.ts';

const NAME = 'edgerest_bench';

export interface BenchDatabase {
  /** How requests log in, for the floor and for the server. */
  readonly login: Login;
  /** Drops it, and ends the server where it was started for it. */
  close(): Promise<void>;
}

/** The connection string of a login. */
export const uriOf = ({ host, port, database, user, password }: Login): string =>
  `postgresql://${user}:${password}@${host}:${port}/${database}`;

async function load(admin: string): Promise<void> {
  const maintenance = postgres(admin, { max: 1, onnotice: () => undefined });
  await maintenance.unsafe(`drop database if exists ${NAME} with (force)`);
  await maintenance.unsafe(`create database ${NAME} template template0`);
  await maintenance.end();
  const target = new URL(admin);
  target.pathname = NAME;
  const sql = postgres(target.href, { max: 1, onnotice: () => undefined });
  await sql.unsafe(await readFile(new URL('./schema.sql', import.meta.url), 'utf8')).simple();
  await sql.unsafe('vacuum analyze').simple();
  await sql.end();
}

async function drop(admin: string): Promise<void> {
  const maintenance = postgres(admin, { max: 1, onnotice: () => undefined });
  await maintenance.unsafe(`drop database if exists ${NAME} with (force)`);
  await maintenance.end();
}

function loginTo(admin: string): Login {
  const { hostname, port } = new URL(admin);
  return { host: hostname, port: Number(port || 5432), database: NAME, ...LOGIN };
}

/** Commits wait for no disk: it is the software that is measured. */
const SETTINGS = { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off', max_connections: '100' };

/** Makes the database, anew. `admin` is a superuser's connection string; without one a server is started. */
export async function openDatabase(admin: string | undefined): Promise<BenchDatabase> {
  if (admin !== undefined) {
    await load(admin);
    return { login: loginTo(admin), close: () => drop(admin) };
  }
  const dataDir = await mkdtemp(join(tmpdir(), 'edgerest-bench-'));
  const remove = (): Promise<void> => rm(dataDir, { recursive: true, force: true });
  try {
    const cluster = await startCluster({ dataDir, settings: SETTINGS });
    const close = (): Promise<void> => cluster.stop().then(remove);
    try {
      await load(cluster.superuserUri());
    } catch (error) {
      await close();
      throw error;
    }
    return { login: loginTo(cluster.superuserUri()), close };
  } catch (error) {
    await remove();
    throw error;
  }
}
