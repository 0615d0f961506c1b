/** The pooler without a door: pool, snapshot and transactions. `serve` calls it, the hop's server opens it to workers. */
import postgres, { type Sql } from 'postgres';
import type { Config } from '../shared/config/resolve.ts';
import type { Hop } from '../shared/hop/types.ts';
import { type ConfigSource, ConfigurationError } from './config/configuration.ts';
import type { Log } from './log.ts';
import { withDocuments } from './openapi/documents.ts';
import { Pool, type PoolEvent } from './pool/index.ts';
import { MissingSchemaError } from './snapshot/load.ts';
import { type Loaded, SnapshotSource, type SnapshotSourceOptions } from './snapshot/source.ts';
import { StartError } from './start-error.ts';
import { createTransactor, type DatabaseFacts, type Trust } from './transaction/transactor.ts';
import { VERSION } from './version.ts';
import { type ConnectionConfig, ConnectionStringError, connect, parseConnectionString } from './wire/index.ts';

export interface PoolerOptions {
  readonly configuration: ConfigSource;
  /** Whose word counts, under what was loaded. */
  readonly trust: (loaded: Loaded) => Trust;
  readonly log: Log;
  /** It cannot go on; the log says why. Called at most once. */
  readonly onFatal: (reason: string) => void;
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

/** Why a start cannot succeed however often it is tried; null where it can. */
function hopelessness(error: unknown): string | null {
  if (error instanceof ConfigurationError) return `Wrong configuration: ${error.message}`;
  return codeOf(error) === WRONG_PASSWORD ? `The database refused the login: ${messageOf(error)}` : null;
}

/** Whether the database was not reached, or went away: not where it answered that something is wrong. */
function isLoss(error: unknown): boolean {
  if (error instanceof postgres.PostgresError) return error.severity !== 'ERROR';
  return !(error instanceof MissingSchemaError) && !(error instanceof ConfigurationError);
}

/**
 * Connects and loads the snapshot once; goes on trying in the background when the database is away. Throws StartError for a
 * connection string that cannot be used.
 */
export async function startPooler({ configuration, trust, log, onFatal }: PoolerOptions): Promise<Pooler> {
  const config = configuration.current;
  const connection = connectionConfig(config);
  let facts: DatabaseFacts | null = null;
  let plainDefaults = false;

  let ending = false;
  const fatal = (message: string): void => {
    if (ending) return;
    ending = true;
    log('notice', message);
    onFatal(message);
  };
  const lost = (): void => {
    if (!configuration.current.dbPoolAutomaticRecovery) fatal('Automatic recovery disabled, exiting.');
  };
  const failed = (error: unknown): void => {
    const hopeless = facts === null ? hopelessness(error) : null;
    if (hopeless !== null) {
      fatal(hopeless);
      return;
    }
    log('error', `The database is not ready: ${messageOf(error)}`);
    if (isLoss(error)) lost();
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
    config: async (sql, reread) => {
      plainDefaults = await hasPlainDefaults(sql);
      return configuration.read(sql, reread);
    },
    observe: (event) => {
      if (event.kind === 'failed') failed(event.error);
      else logSourceEvent(event, log);
      if (event.kind === 'lost') lost();
    },
  });
  source.subscribe((loaded) => {
    warnOfRoles(loaded, facts, log);
    if (facts !== null && facts.config !== loaded.config) log('notice', 'Config reloaded');
    const { snapshot, config, roles } = loaded;
    facts = { snapshot: snapshot.version, config, trust: trust(loaded), roles, plainDefaults };
    pool.forgetStatements();
  });
  await source.start(config);
  return {
    hop: withDocuments(createTransactor({ pool, database: () => facts }), () => source.current()),
    source,
    pool,
    close: async (timeout) => {
      await Promise.all([source.close(), pool.drain(timeout)]);
    },
  };
}

/** Where and how to connect, from `db-uri` and the PG* variables. Throws StartError. */
export function connectionConfig(config: Config): ConnectionConfig {
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
    case 'notified': {
      const what = event.of === 'config' ? 'config' : 'schema cache';
      log('notice', `Received a ${what} reload message on the ${JSON.stringify(event.channel)} channel`);
      return;
    }
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
