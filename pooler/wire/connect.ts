import type { ConnectionConfig, Endpoint, TargetSession } from './config.ts';
import { Connection } from './connection.ts';
import { ConnectionError, DatabaseError } from './errors.ts';
import { openSession, type Session } from './startup.ts';
import type { ConnectionOptions } from './types.ts';

type Encrypt = 'no' | 'optional' | 'required';

/**
 * Logs in to the first of the hosts that answers and is of the wanted kind. Rejects with a ConnectionError: the last one, when there are
 * several hosts. The timeout counts for each host.
 */
export async function connect(config: ConnectionConfig, options: ConnectionOptions = {}): Promise<Connection> {
  // As libpq: any server is better than none, in a second round.
  const rounds: readonly TargetSession[] =
    config.targetSession === 'prefer-standby' ? ['standby', 'any'] : [config.targetSession];
  let last: unknown;
  for (const target of rounds) {
    for (const endpoint of config.endpoints) {
      try {
        const connection = new Connection(await login(config, endpoint), config, options);
        if (await suits(connection, target)) return connection;
        await connection.close();
        last = new ConnectionError(
          'rejected',
          `no host is of the wanted kind: target_session_attrs=${config.targetSession}`,
        );
      } catch (error) {
        last = error;
      }
    }
  }
  throw last;
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
  try {
    return await openSession(config, endpoint, encrypt, controller.signal);
  } catch (error) {
    throw controller.signal.aborted ? controller.signal.reason : error;
  } finally {
    if (timer !== null) clearTimeout(timer);
  }
}

async function suits(connection: Connection, target: TargetSession): Promise<boolean> {
  if (target === 'any') return true;
  const { standby, readOnly } = await kindOf(connection);
  switch (target) {
    case 'read-write':
      return !readOnly;
    case 'read-only':
      return readOnly;
    case 'primary':
      return !standby;
    case 'standby':
    case 'prefer-standby':
      return standby;
  }
}

async function kindOf(connection: Connection): Promise<{ readonly standby: boolean; readonly readOnly: boolean }> {
  // Reported at login from PostgreSQL 14 on.
  let standby = connection.parameters.get('in_hot_standby');
  let readOnly = connection.parameters.get('default_transaction_read_only');
  if (standby === undefined || readOnly === undefined) {
    const text = "select pg_catalog.pg_is_in_recovery(), pg_catalog.current_setting('default_transaction_read_only')";
    const asked = await connection.flight({
      statements: [{ text, parameters: [], prepare: 'unnamed', result: 'row' }],
      reset: false,
    });
    if (asked.outcome === 'failed')
      throw new ConnectionError('rejected', 'the server did not say what kind it is', asked.error);
    const row = asked.results[0]?.row;
    standby = row?.text(0) === 't' ? 'on' : 'off';
    readOnly = row?.text(1) ?? 'off';
  }
  return { standby: standby === 'on', readOnly: standby === 'on' || readOnly === 'on' };
}
