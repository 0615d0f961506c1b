/** What is under test: the programs as users start them, with proxies that make faults on every link. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../../cluster.ts';
import { type Program, startProgram } from '../../edge/program.ts';
import { FaultProxy } from '../proxy.ts';
import { type Names, PASSWORD } from './ledger.ts';
import { JWT_SECRET } from './questions.ts';
import { type Apart, startWorker } from './workers.ts';

/** `serve`: both halves in one process. `edge`: the worker in workerd beside it. Else two halves with a link between them that can fail too. */
export type Topology = 'serve' | 'edge' | Apart;

export const POOL_SIZE = 4;
/** Connections beside the pool's: for LISTEN and for the schema cache. */
const BESIDE = 2;
export const BOUND: number = POOL_SIZE + BESIDE;

const SECRET = 'a-secret-between-the-halves-in-the-fault-tests';

export interface Place {
  /** The database's server, on this machine. */
  readonly port: number;
  readonly database: string;
  readonly names: Names;
  /** The connection string's parameters for TLS with a server whose certificate is for `localhost`; without TLS by default. */
  readonly tls?: Readonly<Record<string, string>>;
}

export interface System {
  readonly program: Program;
  /** Where the API is. */
  readonly port: number;
  readonly toDatabase: FaultProxy;
  /** Between worker and pooler; null where nothing can be between. */
  readonly hop: FaultProxy | null;
  /** Whether the worker is not in the pooler's process: then it knows nothing of a body but its stream. */
  readonly isApart: boolean;
  /** A program's metric, 0 where it has none of that name. */
  metric(name: string): Promise<number>;
  /** Waits until every connection of the pool is idle or closed. */
  idle(): Promise<void>;
  /** Ends it and gives the most sockets to the database that were ever open at once. Throws where it does not end well. */
  stop(): Promise<number>;
}

function connectionString({ database, names, tls = { sslmode: 'disable' } }: Place, port: number): string {
  const parameters = new URLSearchParams({ hostaddr: '127.0.0.1', connect_timeout: '2', ...tls });
  return `postgresql://${names.login}:${PASSWORD}@localhost:${port}/${database}?${parameters}`;
}

/** Starts it and returns when it answers. */
export async function startSystem(
  topology: Topology,
  place: Place,
  variables: Readonly<Record<string, string>> = {},
  /** A proxy takes connections for a pooler that takes none any more: without one the worker sees that. */
  proxied = true,
): Promise<System> {
  const folder = await mkdtemp(join(tmpdir(), 'edgerest-faults-'));
  const toDatabase = new FaultProxy(place.port);
  const proxyPort = await toDatabase.listen();
  const adminPort = await freePort();
  const file = join(folder, 'sockets');
  const command = topology === 'serve' || topology === 'edge' ? topology : 'pooler';
  const program = await startProgram(command, {
    PGRST_DB_URI: connectionString(place, proxyPort),
    PGRST_DB_SCHEMAS: 'api',
    PGRST_DB_ANON_ROLE: place.names.roles[0],
    PGRST_DB_POOL: String(POOL_SIZE),
    PGRST_DB_TX_END: 'commit-allow-override',
    PGRST_JWT_SECRET: JWT_SECRET,
    PGRST_ADMIN_SERVER_HOST: '127.0.0.1',
    PGRST_ADMIN_SERVER_PORT: String(adminPort),
    ...(command === 'edge' ? {} : { EDGEREST_POOLER_SECRET: SECRET }),
    // workerd writes to our own output, and every refused request would be a line.
    ...(topology === 'serve' || topology === 'two halves' ? {} : { PGRST_LOG_LEVEL: 'crit' }),
    COUNT_SOCKETS_TO: String(proxyPort),
    COUNT_SOCKETS_OVER: place.tls === undefined ? 'plain' : 'encrypted',
    COUNT_SOCKETS_FILE: file,
    NODE_OPTIONS: `--import=${new URL('./count-sockets.ts', import.meta.url).href}`,
    ...variables,
  });
  const programPort = Number(new URL(program.url).port);
  const worker =
    topology === 'serve' || topology === 'edge' ? null : await startWorker(topology, programPort, SECRET, proxied);
  const metric = async (name: string): Promise<number> => {
    const text = await (await fetch(`http://127.0.0.1:${adminPort}/metrics`)).text();
    return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1] ?? 0);
  };
  const atWork = async (): Promise<number> => {
    let count = 0;
    for (const state of ['busy', 'resetting', 'connecting']) count += await metric(`edgerest_pool_${state}`);
    return count;
  };
  return {
    program,
    port: worker?.port ?? programPort,
    toDatabase,
    hop: worker?.proxy ?? null,
    isApart: topology !== 'serve',
    metric,
    idle: async () => {
      while ((await atWork()) > 0) await sleep(20);
    },
    stop: async () => {
      await worker?.close();
      const code = await program.stop();
      await toDatabase.close();
      const most = Number(await readFile(file, 'utf8'));
      await rm(folder, { recursive: true });
      if (code !== 0) throw new Error(`ended with ${code}: ${program.said()}`);
      return most;
    },
  };
}
