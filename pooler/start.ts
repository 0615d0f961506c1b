/** The pooler without a door: pool, snapshot and transactions. `serve` calls it, the hop's server opens it to workers. */
import { setImmediate } from 'node:timers/promises';
import postgres, { type Sql } from 'postgres';
import type { Config } from '../shared/config/resolve.ts';
import type { Hop } from '../shared/hop/types.ts';
import { withDocuments } from '../shared/openapi/documents.ts';
import { MissingSchemaError } from '../shared/snapshot/catalog.ts';
import type { Snapshot } from '../shared/snapshot/types.ts';
import { type ConfigSource, ConfigurationError } from './config/configuration.ts';
import { messageOf } from './message-of.ts';
import type { Observe } from './observation.ts';
import { Pool } from './pool/index.ts';
import { type Loaded, SnapshotSource, type SourceEvent } from './snapshot/source.ts';
import { StartError } from './start-error.ts';
import { checkedHop } from './statements/checked.ts';
import { KnownStatements } from './statements/known.ts';
import { type Admittance, createTransactor, type DatabaseFacts, type Trust } from './transaction/transactor.ts';
import { VERSION } from './version.ts';
import {
  type ConnectionConfig,
  ConnectionStringError,
  connect,
  parseConnectionString,
  type StatementUses,
} from './wire/index.ts';

/**
 * Whose word counts for a request, under what was loaded. `withKey` looks for a key that a token names and the loaded ones lack:
 * see SnapshotSource.withKey.
 */
export type TrustOf = (loaded: Loaded, withKey: (kid: string | null) => Promise<Loaded | null>) => Trust;

export interface PoolerOptions {
  readonly configuration: ConfigSource;
  readonly trust: TrustOf;
  readonly observe: Observe;
  /** It cannot go on; that has been observed. Called at most once. */
  readonly onFatal: (reason: string) => void;
}

export interface Pooler extends Admittance {
  readonly hop: Hop;
  readonly source: SnapshotSource;
  readonly pool: Pool;
  /** Whose word counts for a request now; null before the first load. */
  trust(): Trust | null;
  /** Uses of prepared statements by requests. */
  readonly statementUses: Readonly<StatementUses>;
  /** Serves what has been accepted and closes every connection; after `timeout` milliseconds what still runs is cancelled. */
  close(timeout: number): Promise<void>;
}

/** Without connect_timeout in the connection string, the milliseconds that a server may take to let us in. */
const CONNECT_TIMEOUT = 30_000;

const WRONG_PASSWORD = '28P01';
const codeOf = (error: unknown): unknown => (error instanceof Error && 'code' in error ? error.code : null);

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
export async function startPooler({ configuration, trust, observe, onFatal }: PoolerOptions): Promise<Pooler> {
  const config = configuration.current;
  const connection = connectionConfig(config);
  let facts: DatabaseFacts | null = null;
  let session: SessionFacts | null = null;
  /** Of the connections that are open. */
  let defaults: string | null = null;

  let ending = false;
  const fatal = (message: string): void => {
    if (ending) return;
    ending = true;
    observe({ kind: 'notice', text: message });
    onFatal(message);
  };
  const lost = (): void => {
    if (!configuration.current.dbPoolAutomaticRecovery) fatal('Automatic recovery disabled, exiting.');
  };
  const changed = (event: SourceEvent): void => {
    switch (event.kind) {
      case 'failed': {
        const hopeless = facts === null ? hopelessness(event.error) : null;
        session = null;
        if (hopeless !== null) {
          fatal(hopeless);
          return;
        }
        observe({ kind: 'schema cache', event, config: configuration.current });
        if (isLoss(event.error)) lost();
        return;
      }
      case 'queried':
      case 'loaded':
        observe({ kind: 'schema cache', event, config: configuration.current });
        return;
      case 'lost':
        observe({ kind: 'listener', event });
        lost();
        return;
      case 'listening':
      case 'notified':
        observe({ kind: 'listener', event });
        return;
      default:
        event satisfies never;
    }
  };
  let known: KnownStatements | null = null;
  const statementsOf = (snapshot: Snapshot): KnownStatements => {
    if (known?.snapshot !== snapshot) known = new KnownStatements(snapshot);
    return known;
  };
  const statementUses = { hits: 0, misses: 0 };
  const pool = new Pool({
    size: config.dbPool,
    connect: () => connect(connection, { statementUses }),
    acquisitionTimeout: config.dbPoolAcquisitionTimeout * 1000,
    queueLength: config.queueLength,
    minimum: config.poolMin,
    reserve: reserveOf(config),
    ...(config.driverMaxPerUser !== null && { maxPerUser: config.driverMaxPerUser }),
    idleTimeout: config.dbPoolMaxIdletime * 1000,
    maxLifetime: config.dbPoolMaxLifetime * 1000,
    observe: (event) => observe({ kind: 'pool', event }),
  });
  const source = new SnapshotSource({
    connection,
    config: async (sql, reread) => {
      const before = session;
      session = await sessionFacts(sql);
      const { version } = session;
      if (before?.version !== version) observe({ kind: 'database', version, poolSize: config.dbPool });
      return configuration.read(sql, reread);
    },
    observe: changed,
    observeIssuer: (event) => observe({ kind: 'issuer', event }),
  });
  source.subscribe((loaded) => {
    warnOfRoles(loaded, facts, observe);
    if (facts !== null && facts.config !== loaded.config) observe({ kind: 'config reloaded' });
    const { snapshot, config, roles } = loaded;
    facts = {
      snapshot: snapshot.version,
      config,
      trust: trust(loaded, (kid) => source.withKey(kid)),
      roles,
      plainDefaults: session?.plainDefaults ?? false,
      callsCode: ({ statements }) => statementsOf(snapshot).callCode(statements),
    };
    pool.forgetStatements();
    if (defaults !== null && session !== null && session.defaults !== defaults) pool.renew();
    defaults = session?.defaults ?? defaults;
  });
  await source.start(config);
  const transactor = createTransactor({ pool, database: () => facts });
  const hop = withDocuments(transactor, {
    source: () => source.current(),
    turn: setImmediate,
  });
  const checked = checkedHop(hop, {
    current: () => source.current()?.snapshot ?? null,
    fresh: async () => (await source.fresh())?.snapshot ?? null,
    statements: statementsOf,
  });
  return {
    // What this process made itself needs no check.
    hop: {
      transaction: (request, payload, signal) =>
        (facts?.trust.kind === 'process' ? hop : checked).transaction(request, payload, signal),
    },
    refusal: (caller, address) => transactor.refusal(caller, address),
    trust: () => facts?.trust ?? null,
    source,
    pool,
    statementUses,
    close: async (timeout) => {
      await Promise.all([source.close(), pool.drain(timeout)]);
    },
  };
}

/** How many of its connections the pool keeps for each of its two doors: none where there is one, or a single connection. */
export function reserveOf({ dbPool, driverPort, poolReserve }: Config): number {
  if (driverPort === null) return 0;
  return Math.min(poolReserve ?? Math.ceil(dbPool / 10), Math.floor(dbPool / 2));
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

/** What a session of ours finds in the database. */
interface SessionFacts {
  /** Whether a transaction that begins without words is read committed and read write: the database or the login role may say otherwise. */
  readonly plainDefaults: boolean;
  /** The server's, in its own words. */
  readonly version: string;
  /** What `ALTER ROLE … SET` and `ALTER DATABASE … SET` give a session of the login role; those that are open keep what they have. */
  readonly defaults: string;
}

async function sessionFacts(sql: Sql): Promise<SessionFacts> {
  const setting = (name: string): string => `pg_catalog.current_setting('default_transaction_${name}')`;
  const text = `select ${setting('isolation')}, ${setting('read_only')}, pg_catalog.version(),
    (select coalesce(pg_catalog.jsonb_agg(s order by s.setdatabase, s.setrole), '[]')::text from pg_catalog.pg_db_role_setting s
      where s.setrole in (0, (select r.oid from pg_catalog.pg_roles r where r.rolname = session_user))
        and s.setdatabase in (0, (select d.oid from pg_catalog.pg_database d where d.datname = pg_catalog.current_database())))`;
  const [row] = await sql.unsafe(text).values();
  return {
    plainDefaults: row?.[0] === 'read committed' && row[1] === 'off',
    version: String(row?.[2]),
    defaults: String(row?.[3]),
  };
}

function warnOfRoles(loaded: Loaded, before: DatabaseFacts | null, observe: Observe): void {
  const { login, inherits } = loaded.roles;
  if (inherits.length === 0 || before?.roles.inherits.length === inherits.length) return;
  const text =
    `Warning: the login role ${JSON.stringify(login)} inherits the privileges of ${inherits.length} role(s). ` +
    'Make it NOINHERIT and grant with INHERIT FALSE, so that nothing runs with more than the request has.';
  observe({ kind: 'notice', text });
}
