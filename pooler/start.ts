/** The pooler without a door: pool, snapshot and transactions. `serve` calls it, the hop's server opens it to workers. */
import type { Sql } from 'postgres';
import type { Config } from '../shared/config/resolve.ts';
import type { Hop } from '../shared/hop/types.ts';
import type { Log } from './log.ts';
import { withDocuments } from './openapi/documents.ts';
import { Pool, type PoolEvent } from './pool/index.ts';
import { type Loaded, SnapshotSource, type SnapshotSourceOptions } from './snapshot/source.ts';
import { createTransactor, type DatabaseFacts, type Trust } from './transaction/transactor.ts';
import { VERSION } from './version.ts';
import { ConnectionStringError, connect, parseConnectionString } from './wire/index.ts';

/** What keeps a program from starting, in words for whoever started it. */
export class StartError extends Error {
  override readonly name = 'StartError';
}

export interface PoolerOptions {
  readonly config: Config;
  readonly trust: Trust;
  readonly log: Log;
  /** The database refused the login: trying again would not help. Called at most once. */
  readonly onFatal: (message: string) => void;
}

export interface Pooler {
  readonly hop: Hop;
  readonly source: SnapshotSource;
  readonly pool: Pool;
  /** Serves what has been accepted and closes every connection; after `timeout` milliseconds what still runs is cancelled. */
  close(timeout: number): Promise<void>;
}

/** Without connect_timeout in the connection string, the milliseconds that a server may take to let us in. */
const CONNECT_TIMEOUT = 30_000;

type SourceEvent = Parameters<NonNullable<SnapshotSourceOptions['observe']>>[0];

const WRONG_PASSWORD = '28P01';
const codeOf = (error: unknown): unknown => (error instanceof Error && 'code' in error ? error.code : null);
const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/**
 * Connects and loads the snapshot once; goes on trying in the background when the database is away. Throws StartError for a
 * connection string that cannot be used.
 */
export async function startPooler({ config, trust, log, onFatal }: PoolerOptions): Promise<Pooler> {
  const connection = connectionConfig(config);
  let facts: DatabaseFacts | null = null;
  let plainDefaults = false;

  const failed = (error: unknown): void => {
    log('error', `The database is not ready: ${messageOf(error)}`);
    if (facts === null && codeOf(error) === WRONG_PASSWORD) onFatal(messageOf(error));
  };
  const pool = new Pool({
    size: config.dbPool,
    connect: () => connect(connection),
    acquisitionTimeout: config.dbPoolAcquisitionTimeout * 1000,
    queueLength: config.queueLength,
    idleTimeout: config.dbPoolMaxIdletime * 1000,
    maxLifetime: config.dbPoolMaxLifetime * 1000,
    observe: (event) => logPoolEvent(event, log),
  });
  const source = new SnapshotSource({
    connection,
    config: async (sql) => {
      plainDefaults = await hasPlainDefaults(sql);
      return config;
    },
    observe: (event) => {
      if (event.kind === 'failed') failed(event.error);
      else logSourceEvent(event, log);
    },
  });
  source.subscribe((loaded) => {
    warnOfRoles(loaded, facts, log);
    facts = { snapshot: loaded.snapshot.version, roles: loaded.roles, plainDefaults };
    pool.forgetStatements();
  });
  await source.start(config);
  return {
    hop: withDocuments(createTransactor({ pool, config, trust, database: () => facts }), () => source.current()),
    source,
    pool,
    close: async (timeout) => {
      await Promise.all([source.close(), pool.drain(timeout)]);
    },
  };
}

function connectionConfig(config: Config) {
  try {
    const connection = parseConnectionString(config.dbUri);
    return {
      ...connection,
      connectTimeout: connection.connectTimeout || CONNECT_TIMEOUT,
      applicationName: connection.applicationName ?? `edgerest ${VERSION}`,
    };
  } catch (error) {
    if (error instanceof ConnectionStringError) throw new StartError(`db-uri cannot be used: ${error.message}`);
    throw error;
  }
}

/** Whether a transaction that begins without words is read committed and read write: the database or the login role may say otherwise. */
async function hasPlainDefaults(sql: Sql): Promise<boolean> {
  const text = `select pg_catalog.current_setting('default_transaction_isolation'), pg_catalog.current_setting('default_transaction_read_only')`;
  const [row] = await sql.unsafe(text).values();
  return row?.[0] === 'read committed' && row[1] === 'off';
}

function warnOfRoles(loaded: Loaded, before: DatabaseFacts | null, log: Log): void {
  const { login, inherits } = loaded.roles;
  if (inherits.length === 0 || before?.roles.inherits.length === inherits.length) return;
  log(
    'notice',
    `Warning: the login role ${JSON.stringify(login)} inherits the privileges of ${inherits.length} role(s). ` +
      'Make it NOINHERIT and grant with INHERIT FALSE, so that nothing runs with more than the request has.',
  );
}

function logSourceEvent(event: Exclude<SourceEvent, { kind: 'failed' }>, log: Log): void {
  switch (event.kind) {
    case 'loaded': {
      const { tables, relationships, routines } = event.snapshot;
      const counts = `${tables.length} Relations, ${relationships.length} Relationships, ${routines.length} Functions`;
      log('notice', `Schema cache loaded ${counts} in ${event.milliseconds.toFixed(1)} milliseconds`);
      return;
    }
    case 'listening':
      log('notice', `Listening for notifications on the ${JSON.stringify(event.channel)} channel`);
      return;
    case 'lost':
      log('error', `Not listening for notifications: ${messageOf(event.error)}. Trying again in ${event.retryIn} ms`);
      return;
    default:
      event satisfies never;
  }
}

function logPoolEvent(event: PoolEvent, log: Log): void {
  switch (event.type) {
    case 'connect-failed':
      log('error', `Cannot connect to the database: ${event.error.message}. Trying again in ${event.retryIn} ms`);
      return;
    case 'refused':
      log('info', `A request was not admitted to the pool: ${event.code}`);
      return;
    case 'connected':
    case 'closed':
      log('debug', `A connection of the pool was ${event.type === 'connected' ? 'opened' : 'closed'}`);
      return;
    case 'acquired':
    case 'flight':
      return;
    default:
      event satisfies never;
  }
}
