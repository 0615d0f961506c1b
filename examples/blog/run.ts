/** Starts PostgreSQL, the blog and the edge in order, shows how to use them, and stops them in the other order. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { type Cluster, startCluster } from '../../test/cluster.ts';
import { type Edge, startEdge } from './edge.ts';
import { createBlogDatabase, loadBlog } from './load.ts';
import { demoUsers, logIn, tour } from './tour.ts';

export interface RunOptions {
  /** Throw away what earlier runs left. */
  readonly fresh: boolean;
  /** Where PostgreSQL keeps its data; undefined: .data/blog in the clone. */
  readonly data: string | undefined;
}

/** What was started, in this order. */
interface Started {
  cluster: Cluster | undefined;
  edge: Edge | undefined;
}

/** Why the run ends. */
type End = { readonly kind: 'asked' } | { readonly kind: 'failed'; readonly message: string };

/**
 * Runs until SIGINT, SIGTERM or SIGHUP, or until a part ends by itself, and returns the exit status. Everything that it
 * started has ended by then. Throws an error whose message is one line where the start fails.
 */
export async function runBlog(options: RunOptions): Promise<number> {
  const started: Started = { cluster: undefined, edge: undefined };
  const asked = new AbortController();
  // Ctrl-C comes twice under npm: from the terminal and from npm itself.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => asked.abort());
  const orphaned = watchNpm(() => asked.abort());
  try {
    const end = await run(options, started, asked.signal);
    if (end.kind === 'asked') return 0;
    console.error(`\nedgerest: ${end.message}`);
    return 1;
  } catch (error) {
    // Stopped in the middle of the start: what failed then failed because of it.
    if (asked.signal.aborted) return 0;
    throw error;
  } finally {
    clearInterval(orphaned);
    if (started.edge || started.cluster) console.log('\nStopping …');
    await started.edge?.stop();
    await started.cluster?.stop();
    if (started.edge || started.cluster) console.log('Everything has stopped.');
  }
}

async function run(options: RunOptions, started: Started, signal: AbortSignal): Promise<End> {
  const host = process.env.PGRST_SERVER_HOST || '127.0.0.1';
  const port = Number(process.env.PGRST_SERVER_PORT || 8787);
  if (!(Number.isInteger(port) && port > 0 && port < 65536)) throw new Error('PGRST_SERVER_PORT is not a port');
  await refuseUsedPort(host, port);
  const url = `http://${nameOf(host)}:${port}`;
  const listen = { PGRST_SERVER_HOST: host, PGRST_SERVER_PORT: String(port) };

  if (process.env.PGRST_DB_URI) {
    if (options.fresh)
      throw new Error('--fresh is for the data of the example: PGRST_DB_URI names a database of yours');
    console.log('PGRST_DB_URI is set: this database is served as it is, and the blog is not loaded into it.');
    // A database that is away is no reason to wait: the API answers 503 until it is back.
    started.edge = await step('pooler and worker (workerd)', () => startEdge(url, listen, () => true, signal));
    started.edge.showLog();
    if (!signal.aborted) console.log(`\n  ${url}\n\nCtrl-C stops it.`);
    return ended(started, signal);
  }

  const dataDir = options.data ?? join(import.meta.dirname, '..', '..', '.data', 'blog');
  const cluster = await step('PostgreSQL 18', () => startCluster({ dataDir, fresh: options.fresh }));
  started.cluster = cluster;
  if (signal.aborted) return { kind: 'asked' };
  const blog = await step('the blog', async () => {
    await createBlogDatabase(cluster.superuserUri(), 'blog');
    return loadBlog(cluster.superuserUri('blog'), randomBytes(18).toString('base64url'));
  });
  if (signal.aborted) return { kind: 'asked' };
  const variables = {
    ...listen,
    PGRST_DB_URI: blog.loginUri,
    PGRST_DB_SCHEMAS: 'api',
    PGRST_DB_ANON_ROLE: 'anon',
    PGRST_JWT_SECRET: blog.jwtSecret,
  };
  const schemaRead = (status: number) => status !== 503;
  started.edge = await step('pooler and worker (workerd)', () => startEdge(url, variables, schemaRead, signal));
  if (signal.aborted) return { kind: 'asked' };
  started.edge.showLog();
  const tokens = await step('log-in of two users', () => Promise.all(demoUsers.map((user) => logIn(url, user))));
  console.log(tour(url, tokens, { dataDir: cluster.dataDir, databasePort: cluster.port, loaded: blog.loaded }));
  return ended(started, signal);
}

/** npm killed outright does not tell: its end shows in the process having another parent. */
function watchNpm(gone: () => void): NodeJS.Timeout | undefined {
  if (process.env.npm_lifecycle_event !== 'start') return undefined;
  const npm = process.ppid;
  return setInterval(() => {
    if (process.ppid !== npm) gone();
  }, 1000);
}

/** One line of progress: what is being started, then how long it took. */
async function step<T>(what: string, work: () => Promise<T>): Promise<T> {
  const since = performance.now();
  process.stdout.write(`  ${what} … `);
  const result = await work();
  console.log(`${((performance.now() - since) / 1000).toFixed(1)} s`);
  return result;
}

/** Waits for a signal, or for the first part that ends by itself. */
function ended({ edge, cluster }: Started, signal: AbortSignal): Promise<End> {
  return new Promise((resolve) => {
    const asked = () => resolve({ kind: 'asked' });
    if (signal.aborted) asked();
    signal.addEventListener('abort', asked);
    edge?.exited.then((status) => resolve({ kind: 'failed', message: `the API ended (exit status ${status})` }));
    cluster?.exited.then(() => resolve({ kind: 'failed', message: 'PostgreSQL ended: start again' }));
  });
}

/** `*`, `*4`, `!4`, `*6` and `!6` are all addresses. */
const isEverywhere = (host: string): boolean => /^[*!]/.test(host);

/** What stands for the host in a URL on this machine. */
function nameOf(host: string): string {
  if (isEverywhere(host) || ['127.0.0.1', '::1', '0.0.0.0', '::'].includes(host)) return 'localhost';
  return host.includes(':') ? `[${host}]` : host;
}

async function refuseUsedPort(host: string, port: number): Promise<void> {
  const probe = createServer().listen(port, isEverywhere(host) ? undefined : host);
  try {
    await once(probe, 'listening');
  } catch (error) {
    if (Reflect.get(Object(error), 'code') !== 'EADDRINUSE') return; // edgerest edge says better what is wrong
    throw new Error(
      `port ${port} is in use: end what listens there, or take another one with PGRST_SERVER_PORT=${port + 1} npm start`,
    );
  }
  probe.close();
  await once(probe, 'close');
}
