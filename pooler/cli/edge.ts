/** `edgerest edge`: the pooler in this process and the worker in workerd beside it, as in production, on one machine. */
import { randomBytes } from 'node:crypto';
import { createServer } from 'node:net';
import { parameters } from '../../shared/config/parameters.ts';
import type { Config } from '../../shared/config/resolve.ts';
import type { Configuration } from '../config/configuration.ts';
import type { Loaded } from '../snapshot/source.ts';
import { startPooler } from '../start.ts';
import type { Trust } from '../transaction/transactor.ts';
import { VERSION } from '../version.ts';
import type { Configured } from './config.ts';
import { checkDoor, hopTrust, openDoor } from './door.ts';
import { addressOf, listen } from './listen.ts';
import { onReload } from './reload.ts';
import { DRAIN_TIMEOUT, onShutdown } from './shutdown.ts';
import { startWorkerd } from './workerd.ts';

/** The hop is between us and our own worker: a secret of this run, and a port that is free, unless they are given. */
function ownHop(configuration: Configuration): Config & { readonly poolerSecret: string } {
  const config = configuration.current;
  return {
    ...config,
    poolerSecret: config.poolerSecret ?? randomBytes(32).toString('base64url'),
    poolerPort: configuration.isSet(parameters.poolerPort) ? config.poolerPort : 0,
  };
}

/**
 * The token decides, verified here as well. Where secret and roles are ours to choose nobody else can ask, and any role is
 * allowed that the login role is a member of, as in `serve`.
 */
function ownTrust(): (loaded: Loaded) => Trust {
  const trustOf = hopTrust();
  return (loaded) => {
    const { poolerSecret, allowedRoles } = loaded.config;
    const trust = trustOf(loaded);
    const own = poolerSecret === null && allowedRoles.length === 0;
    return trust.kind === 'token' && own ? { ...trust, own } : trust;
  };
}

/** `host:port` as workerd reads it. */
function workerdAddress(host: string, port: number): string {
  const { host: address } = addressOf(host);
  if (address === undefined || address === '::') return `*:${port}`;
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

/** Where our own worker finds the pooler that listens there: one that listens on all addresses, on loopback. */
const reachable = (address: string): string =>
  address.replace(/^0\.0\.0\.0:/, '127.0.0.1:').replace(/^\[::\]:/, '[::1]:');

/** Refuses a port that is taken in our own words: workerd's are about its configuration. */
async function checkPort(host: string, port: number): Promise<void> {
  const probe = createServer();
  await listen(probe, host, port, 'PGRST_SERVER_PORT');
  await new Promise((closed) => probe.close(closed));
}

/** Starts it and returns when it listens; it ends with the process. Throws StartError. */
export async function edge({ configuration, log }: Configured): Promise<void> {
  const config = ownHop(configuration);
  const door = checkDoor(config);
  log('notice', `Starting edgerest ${VERSION} (edge)`);
  const shutdown = onShutdown(log);
  await checkPort(config.serverHost, config.serverPort);
  const pooler = await startPooler({
    configuration,
    log,
    trust: ownTrust(),
    onFatal: () => shutdown.end(1),
  });
  shutdown.add(() => pooler.close(DRAIN_TIMEOUT));
  onReload(pooler.source);
  const { server, address } = await openDoor(door, config, pooler, log);
  shutdown.add(() => server.close(DRAIN_TIMEOUT));
  const scheme = door.tls === null ? 'http' : 'https';
  const workerd = await startWorkerd({
    address: workerdAddress(config.serverHost, config.serverPort),
    bindings: { EDGEREST_POOLER_URL: `${scheme}://${reachable(address)}`, EDGEREST_POOLER_SECRET: config.poolerSecret },
  });
  let stopping = false;
  shutdown.add(() => {
    stopping = true;
    return workerd.stop(DRAIN_TIMEOUT);
  });
  workerd.exited.then((code) => {
    if (stopping) return;
    log('error', `workerd ended by itself with ${code}`);
    shutdown.end(1);
  });
  log('notice', `API server listening on ${workerdAddress(config.serverHost, workerd.port)}`);
}
