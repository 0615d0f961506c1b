import type { ConnectionConfig, Endpoint, TargetSession } from './config.ts';
import { Connection } from './connection.ts';
import { ConnectionError, DatabaseError } from './errors.ts';
import { isWanted, reportedKind, type ServerKind } from './server-kind.ts';
import { lossCheck, openSession, type Session } from './startup.ts';
import type { ConnectionOptions } from './types.ts';

type Encrypt = 'no' | 'optional' | 'required';

/** Milliseconds for which a host that failed, or was of the wrong kind, is tried after the others: it may take its time to fail again. */
const avoided = 30_000;

/** When that was, in milliseconds since the epoch. */
const failedAt = new WeakMap<Endpoint, number>();

/** Servers older than PostgreSQL 14, or with a pooler before them, of which we know that they refuse the setting. */
const withoutLossCheck = new WeakSet<Endpoint>();

/**
 * Logs in to the first of the hosts that answers and is of the wanted kind; those that have failed just now come last. Rejects with a
 * ConnectionError: the last one, when there are several hosts. The timeout counts for each host.
 */
export async function connect(config: ConnectionConfig, options: ConnectionOptions = {}): Promise<Connection> {
  // As libpq: any server is better than none, in a second round.
  const rounds: readonly TargetSession[] =
    config.targetSession === 'prefer-standby' ? ['standby', 'any'] : [config.targetSession];
  let last: unknown;
  for (const target of rounds) {
    for (const endpoint of inOrder(config.endpoints)) {
      try {
        const connection = new Connection(await login(config, endpoint), config, options);
        if (await suits(connection, target)) {
          failedAt.delete(endpoint);
          return connection;
        }
        await connection.close();
        failedAt.set(endpoint, Date.now());
        last = new ConnectionError(
          'rejected',
          `no host is of the wanted kind: target_session_attrs=${config.targetSession}`,
        );
      } catch (error) {
        if (isAboutHost(error)) failedAt.set(endpoint, Date.now());
        last = error;
      }
    }
  }
  throw last;
}

/** The host is away, or starts or stops (class 57). That somebody may not log in says nothing about it. */
function isAboutHost(error: unknown): boolean {
  if (!(error instanceof ConnectionError)) return false;
  if (error.kind === 'refused' || error.kind === 'timeout') return true;
  return error.cause instanceof DatabaseError && error.cause.code.startsWith('57');
}

function inOrder(endpoints: readonly Endpoint[]): readonly Endpoint[] {
  const since = Date.now() - avoided;
  const isAvoided = (endpoint: Endpoint): boolean => (failedAt.get(endpoint) ?? 0) > since;
  return endpoints.toSorted((one, other) => Number(isAvoided(one)) - Number(isAvoided(other)));
}

/** Logs in with or without TLS, as sslmode says. */
async function login(config: ConnectionConfig, endpoint: Endpoint): Promise<Session> {
  const [first, second] = attempts(config, endpoint);
  try {
    return await timed(config, endpoint, first);
  } catch (error) {
    if (second === undefined || !mayDependOnTls(error)) throw error;
    return await timed(config, endpoint, second);
  }
}

function attempts(config: ConnectionConfig, endpoint: Endpoint): readonly [Encrypt, Encrypt?] {
  if (endpoint.kind === 'unix') return ['no'];
  switch (config.tls.mode) {
    case 'disable':
      return ['no'];
    case 'allow':
      return ['no', 'required'];
    case 'prefer':
      return ['optional', 'no'];
    case 'require':
    case 'verify-ca':
    case 'verify-full':
      return ['required'];
  }
}

/** TLS itself failed, or the server's rules refuse this user with or without it (28000, not a wrong password, which is 28P01). */
function mayDependOnTls(error: unknown): boolean {
  if (!(error instanceof ConnectionError)) return false;
  return error.kind === 'tls' || (error.cause instanceof DatabaseError && error.cause.code === '28000');
}

async function timed(config: ConnectionConfig, endpoint: Endpoint, encrypt: Encrypt): Promise<Session> {
  const controller = new AbortController();
  const late = () =>
    controller.abort(new ConnectionError('timeout', 'the database server did not answer within connect_timeout'));
  const timer = config.connectTimeout > 0 ? setTimeout(late, config.connectTimeout) : null;
  const signal = controller.signal;
  const own = config.options?.includes(lossCheck[0]) === true;
  const extra = own || withoutLossCheck.has(endpoint) ? [] : lossCheck;
  try {
    return await openSession(config, endpoint, encrypt, extra, signal).catch((error: unknown) => {
      if (extra.length === 0 || !isAboutLossCheck(error)) throw error;
      withoutLossCheck.add(endpoint);
      return openSession(config, endpoint, encrypt, [], signal);
    });
  } catch (error) {
    throw controller.signal.aborted ? controller.signal.reason : error;
  } finally {
    if (timer !== null) clearTimeout(timer);
  }
}

/** The server has no such setting, or none on its platform; or something before the server passes no settings on. */
function isAboutLossCheck(error: unknown): boolean {
  if (!(error instanceof ConnectionError) || error.kind !== 'rejected') return false;
  // A database may be called so, and clients of the driver endpoint choose theirs.
  const isNoDatabase = error.cause instanceof DatabaseError && error.cause.code === '3D000';
  return !isNoDatabase && error.message.includes(lossCheck[0]);
}

async function suits(connection: Connection, target: TargetSession): Promise<boolean> {
  return target === 'any' || isWanted(target, reportedKind(connection.parameters) ?? (await kindOf(connection)));
}

/** Asks a server that does not report it. */
async function kindOf(connection: Connection): Promise<ServerKind> {
  const text = "select pg_catalog.pg_is_in_recovery(), pg_catalog.current_setting('default_transaction_read_only')";
  const asked = await connection.flight({
    statements: [{ text, parameters: [], prepare: 'unnamed', result: 'row' }],
    reset: false,
  });
  if (asked.outcome === 'failed')
    throw new ConnectionError('rejected', 'the server did not say what kind it is', asked.error);
  const row = asked.results[0]?.row;
  const standby = row?.text(0) === 't';
  return { standby, readOnly: standby || row?.text(1) === 'on' };
}
