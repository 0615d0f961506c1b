/** What is written in the log about an observation, in PostgREST's words where it has some. */
import postgres from 'postgres';
import type { TokenEvent } from '../../shared/log.ts';
import type { DriverEvent } from '../driver/events.ts';
import type { IssuerEvent } from '../keys/issuer.ts';
import type { Log } from '../log.ts';
import { messageOf } from '../message-of.ts';
import type { Observation, Observe } from '../observation.ts';
import type { PoolEvent } from '../pool/index.ts';
import type { ListenerEvent } from '../snapshot/listener.ts';
import type { CatalogEvent } from '../snapshot/load.ts';
import type { SnapshotEvent } from '../snapshot/store.ts';
import { eventLine } from './event.ts';
import { poolLog } from './pool.ts';

const seconds = (milliseconds: number): string => `${milliseconds / 1000} seconds`;
const list = (names: readonly string[]): string => names.join(',');

/** An error as a client would get it: what the database said, or why it could not be asked. */
function errorJson(error: unknown): string {
  if (error instanceof postgres.PostgresError) {
    const { code, detail, hint, message } = error;
    return JSON.stringify({ code, details: detail ?? null, hint: hint ?? null, message });
  }
  return messageOf(error);
}

function logSchemaCache(
  event: CatalogEvent | SnapshotEvent,
  { dbSchemas, dbExtraSearchPath }: SearchPath,
  log: Log,
): void {
  switch (event.kind) {
    case 'queried': {
      log('notice', `Schema cache queried in ${event.milliseconds.toFixed(1)} milliseconds`);
      log('debug', event.queries.map(([name, took]) => `${name}: ${took.toFixed(1)} ms`).join(', '));
      return;
    }
    case 'loaded': {
      const { tables, relationships, routines, representations, mediaHandlers } = event.snapshot;
      const counts =
        `${tables.length} Relations, ${relationships.length} Relationships, ${routines.length} Functions, ` +
        `${representations.length} Domain Representations, ${mediaHandlers.length} Media Type Handlers`;
      log('notice', `Schema cache loaded ${counts} in ${event.milliseconds.toFixed(1)} milliseconds`);
      return;
    }
    case 'failed': {
      const where = `db-schemas=${list(dbSchemas)} and db-extra-search-path=${list(dbExtraSearchPath)}`;
      log('notice', `Failed to load the schema cache using ${where}. ${errorJson(event.error)}`);
      log('notice', `Attempting to reconnect to the database in ${seconds(event.retryIn)}...`);
      return;
    }
    default:
      event satisfies never;
  }
}

interface SearchPath {
  readonly dbSchemas: readonly string[];
  readonly dbExtraSearchPath: readonly string[];
}

function logListener(event: ListenerEvent, log: Log): void {
  const channel = `the ${JSON.stringify(event.channel)} channel`;
  switch (event.kind) {
    case 'listening':
      log('notice', `Listener connected and listening for database notifications on ${channel}`);
      return;
    case 'notified': {
      const what = event.of === 'config' ? 'config' : 'schema cache';
      log('notice', `Received a ${what} reload message on ${channel}`);
      return;
    }
    case 'lost':
      log('notice', `Failed listening for database notifications on ${channel}. ${messageOf(event.error)}`);
      log('notice', `Retrying listening for database notifications in ${seconds(event.retryIn)}...`);
      return;
    default:
      event satisfies never;
  }
}

function logIssuer(event: IssuerEvent, log: Log): void {
  const { host } = event;
  switch (event.kind) {
    case 'fetched':
      log('notice', `Fetched the keys for tokens from ${host}: ${event.keys} of them`);
      if (event.symmetric > 0) {
        const what = `${event.symmetric} symmetric key(s) in the key set of ${host} are not used`;
        log('notice', `Warning: ${what}: what everybody can fetch is no secret`);
      }
      if (event.keys === 0)
        log('notice', `Warning: no token is accepted, since the key set of ${host} has no key to use`);
      return;
    case 'confirmed':
      if (event.recovered) log('notice', `The keys for tokens can be fetched from ${host} again; they are the same`);
      return;
    case 'failed': {
      const kept =
        event.keys === null
          ? 'tokens are answered with 503 until there are keys'
          : `the ${event.keys} known ones stay in use`;
      const text = `Failed to fetch the keys for tokens from ${host}: ${event.reason}. Retrying; ${kept}.`;
      log(event.first ? 'notice' : 'debug', text);
      return;
    }
    default:
      event satisfies never;
  }
}

function logDriver(event: DriverEvent, log: Log): void {
  switch (event.type) {
    case 'answered':
      return;
    case 'login refused': {
      const who = `${JSON.stringify(event.user)} to the database ${JSON.stringify(event.database)}`;
      log('warn', `The driver endpoint did not let in ${who}: ${event.reason}`);
      return;
    }
    default:
      event satisfies never;
  }
}

const TOKENS: Readonly<Record<TokenEvent, string>> = {
  hit: 'Looked up a JWT in JWT cache: found',
  miss: 'Looked up a JWT in JWT cache: not found',
  eviction: 'Evicted entry from JWT cache',
};

/**
 * Makes what writes down what there is to say of an observation: diagnostics go to `log`, lines of the access log to `access`.
 * `debug`: whether the lines of that level are wanted.
 */
export function observationLog(log: Log, access: (line: string) => void, debug: () => boolean): Observe {
  const pool = poolLog(log, debug);
  return (observation) => logObservation(observation, log, access, pool);
}

function logObservation(
  observation: Observation,
  log: Log,
  access: (line: string) => void,
  pool: (event: PoolEvent) => void,
): void {
  switch (observation.kind) {
    case 'starting':
      log('notice', `Starting ${observation.program}...`);
      return;
    case 'listening':
      log('notice', `${observation.server} listening on ${observation.address}`);
      return;
    case 'stopping':
      log('notice', `Received termination unix signal ${observation.signal}`);
      return;
    case 'notice':
      log('notice', observation.text);
      return;
    case 'fault': {
      const { error } = observation;
      log('error', `Internal error: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
      return;
    }
    case 'database':
      log('notice', `Successfully connected to ${observation.version}`);
      log('notice', `Connection Pool initialized with a maximum size of ${observation.poolSize} connections`);
      return;
    case 'config reloaded':
      log('notice', 'Config reloaded');
      return;
    case 'schema cache':
      logSchemaCache(observation.event, observation.config, log);
      return;
    case 'listener':
      logListener(observation.event, log);
      return;
    case 'pool':
      pool(observation.event);
      return;
    case 'issuer':
      logIssuer(observation.event, log);
      return;
    case 'token':
      log('debug', TOKENS[observation.event]);
      return;
    case 'answered':
      for (const line of observation.diagnostics) log('notice', line);
      if (observation.access !== null) access(observation.access);
      return;
    case 'transaction':
      for (const line of observation.diagnostics) log('notice', line);
      return;
    case 'message refused': {
      const { from, reason, text } = observation;
      const sentence = `The hop refused a message${from === null ? '' : ` from ${from}`}: ${reason}. ${text}`;
      log('warn', eventLine(sentence, 'message_refused', { reason, from }));
      return;
    }
    case 'draining': {
      const { seconds: s, busy, waiting } = observation;
      log('notice', eventLine('Still answering what was accepted.', 'slow_drain', { seconds: s, busy, waiting }));
      return;
    }
    case 'driver':
      logDriver(observation.event, log);
      return;
    case 'not a request':
      log('debug', `${observation.server}: ${observation.error.message}`);
      return;
    default:
      observation satisfies never;
  }
}
