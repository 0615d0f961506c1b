/** `edgerest edge`: the pooler in this process and the worker in workerd beside it, as in production, on one machine. */
import { randomBytes } from 'node:crypto';
import { createServer } from 'node:net';
import { parameters } from '../../shared/config/parameters.ts';
import type { Config } from '../../shared/config/resolve.ts';
import type { Configuration } from '../config/configuration.ts';
import type { Observe } from '../observation.ts';
import type { TrustOf } from '../start.ts';
import { StartError } from '../start-error.ts';
import type { Configured } from './config.ts';
import { checkDoor, type Door, hopTrust, openDoor } from './door.ts';
import { addressOf, apiPlace, type Listening, listen, type Place } from './listen.ts';
import { type Program, startProgram } from './program.ts';
import { DRAIN_TIMEOUT } from './shutdown.ts';
import { placeSocket, stagedSocket } from './socket-file.ts';
import { startWorkerd, type Workerd, type WorkerdBindings } from './workerd.ts';

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
function ownTrust(observe: Observe): TrustOf {
  const trustOf = hopTrust(observe);
  return (loaded, withKey) => {
    const { poolerSecret, allowedRoles } = loaded.config;
    const trust = trustOf(loaded, withKey);
    const own = poolerSecret === null && allowedRoles.length === 0;
    return trust.kind === 'token' && own ? { ...trust, own } : trust;
  };
}

/** `host:port` as workerd reads it. */
function tcpAddress(host: string, port: number): string {
  const { host: address } = addressOf(host);
  if (address === '::') return `*:${port}`;
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

/** Where our own worker finds the pooler that listens there: one that listens on all addresses, on loopback. */
const reachable = (address: string): string =>
  address.replace(/^0\.0\.0\.0:/, '127.0.0.1:').replace(/^\[::\]:/, '[::1]:');

/** Refuses a place that is taken in our own words: workerd's are about its configuration. */
async function checkPlace(place: Place): Promise<void> {
  if (place.kind === 'unix') return;
  if (place.shared)
    throw new StartError('PGRST_SERVER_REUSEPORT is set: workerd cannot share its port, only serve can.');
  const probe = createServer();
  await listen(probe, place);
  await new Promise((closed) => probe.close(closed));
}

/** Starts workerd where the API shall be. */
async function openWorkerd(
  place: Place,
  bindings: WorkerdBindings,
): Promise<Listening & { readonly workerd: Workerd }> {
  if (place.kind === 'tcp') {
    const workerd = await startWorkerd({ address: tcpAddress(place.host, place.port), bindings });
    return { workerd, address: tcpAddress(place.host, workerd.port), isReachable: () => workerd.running };
  }
  const staged = stagedSocket(place);
  const workerd = await startWorkerd({ address: `unix:${staged}`, bindings });
  const file = placeSocket(staged, place);
  workerd.exited.then(() => file.remove());
  return { workerd, address: place.path, isReachable: () => workerd.running && file.isThere() };
}

/**
 * Opens the pooler's door and gives the address where our own worker finds it. A certificate is for those who come from elsewhere, under its
 * name: the worker beside us could not check it, and has a door on loopback.
 */
async function openDoors(door: Door, config: Config, program: Program): Promise<string> {
  const { server, listening } = await openDoor(door, config, program);
  program.shutdown.add(() => server.close(DRAIN_TIMEOUT));
  if (door.tls === null) return reachable(listening.address);
  const own = await openDoor({ ...door, tls: null }, { ...config, poolerHost: '127.0.0.1', poolerPort: 0 }, program);
  program.shutdown.add(() => own.server.close(DRAIN_TIMEOUT));
  return own.listening.address;
}

/** Starts it and returns when it listens; it ends with the process. Throws StartError. */
export async function edge(configured: Configured): Promise<void> {
  const config = ownHop(configured.configuration);
  const door = checkDoor(config);
  const place = apiPlace(config);
  await checkPlace(place);
  const program = await startProgram({ name: ' (edge)', configured, trust: ownTrust });
  const { shutdown, observe } = program;
  const pooler = await openDoors(door, config, program);
  const { workerd, address, isReachable } = await openWorkerd(place, {
    EDGEREST_POOLER_URL: `http://${pooler}`,
    EDGEREST_POOLER_SECRET: config.poolerSecret,
  });
  let stopping = false;
  shutdown.add(() => {
    stopping = true;
    return workerd.stop(DRAIN_TIMEOUT);
  });
  workerd.exited.then((code) => {
    if (stopping) return;
    observe({ kind: 'notice', text: `workerd ended by itself with ${code}` });
    shutdown.end(1);
  });
  program.opened('API server', address, () => !stopping && isReachable());
}
