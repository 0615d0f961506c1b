/** The pooler's door: the hop's server, with the rules for where it may listen. */
import { readFileSync } from 'node:fs';
import type { Config } from '../../shared/config/resolve.ts';
import { HEAD_LIMIT, type Refused, refuse } from '../../shared/hop/codec.ts';
import type { TokenEvent } from '../../shared/log.ts';
import { isLoopback } from '../../shared/loopback.ts';
import type { Identity } from '../../worker/auth/authenticator.ts';
import { UnknownKeyError } from '../../worker/auth/errors.ts';
import { ApiError } from '../../worker/error.ts';
import { writeRefusal } from '../../worker/hop/judgement.ts';
import { nextState, type State } from '../../worker/state.ts';
import { HopServer, type HopServerOptions } from '../hop/server.ts';
import type { Observe } from '../observation.ts';
import type { TrustOf } from '../start.ts';
import { StartError } from '../start-error.ts';
import { KeysAwaitedError, type Trust } from '../transaction/transactor.ts';
import { observeHop } from './answers.ts';
import { type Listening, listen } from './listen.ts';
import type { Program } from './program.ts';

/**
 * Whose word counts for a request that comes over the hop: the token's, verified here. Without keys here it is the message's, but
 * only for the roles that the configuration lists.
 */
export function hopTrust(observe: Observe): TrustOf {
  const observeTokens = (event: TokenEvent): void => observe({ kind: 'token', event });
  let state: State | null = null;
  return ({ config, keys, snapshot }, withKey) => {
    if (keys === null && config.allowedRoles.length > 0) return { kind: 'list' };
    state = nextState(state, snapshot, keys, observeTokens);
    const { authenticator } = state;
    /** The worker may have its keys from another pooler, which has asked the issuer already. */
    const again = async (error: unknown, token: string | null): Promise<Identity> => {
      if (!(error instanceof UnknownKeyError)) throw error;
      const newer = await withKey(error.kid);
      if (state === null || state.authenticator === authenticator || newer?.config !== config) throw error;
      return await state.authenticator.authenticate(token);
    };
    return {
      kind: 'token',
      verify: (token) => {
        if (token !== null && keys?.remote === 'awaited') throw new KeysAwaitedError();
        const found = authenticator.authenticate(token);
        return found instanceof Promise ? found.catch((error: unknown) => again(error, token)) : found;
      },
    };
  };
}

/** What a worker that does not have a token's key is told of it. */
async function judge(trust: Trust | null, token: string): Promise<string | Refused | null> {
  if (trust === null) return null;
  if (trust.kind !== 'token') return refuse(401, 'token', 'There are no keys here.');
  try {
    await trust.verify(token);
    return 'null';
  } catch (error) {
    if (error instanceof KeysAwaitedError) return refuse(503, 'keys', error.message);
    if (error instanceof ApiError) return writeRefusal(error);
    throw error;
  }
}

function readPem(path: string, variable: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    throw new StartError(`${variable} names the file ${path}, which cannot be read.`);
  }
}

/** A certificate and its key, in PEM. */
export interface KeyPair {
  readonly cert: string;
  readonly key: string;
}

/** The certificate of the pooler's servers; null without one. Throws StartError for a file that cannot be read. */
export function certificate(config: Config): KeyPair | null {
  const { poolerTlsCert: cert, poolerTlsKey: key } = config;
  if (cert === null || key === null) return null;
  return { cert: readPem(cert, 'EDGEREST_POOLER_TLS_CERT'), key: readPem(key, 'EDGEREST_POOLER_TLS_KEY') };
}

/** Throws StartError for a host beyond loopback where nobody encrypts. `variable`: what sets the host. */
export function checkReach(variable: string, host: string, tls: KeyPair | null, { behindProxy }: Config): void {
  if (tls !== null || behindProxy || isLoopback(host)) return;
  throw new StartError(
    `${variable} is ${host}: beyond loopback the pooler needs TLS (EDGEREST_POOLER_TLS_CERT and _KEY), ` +
      'or EDGEREST_BEHIND_PROXY=1 where a proxy in front of it has it.',
  );
}

/** What the door is made of, checked before anything starts. */
export interface Door {
  readonly secrets: readonly string[];
  readonly tls: KeyPair | null;
}

/** Checks the configuration of the door. Throws StartError: no secret, no TLS beyond loopback, an unreadable certificate. */
export function checkDoor(config: Config): Door {
  const { poolerSecret, poolerSecretPrevious, poolerHost } = config;
  if (poolerSecret === null) {
    throw new StartError(
      'EDGEREST_POOLER_SECRET is missing: make one with `openssl rand -base64 32` and give it to the worker too.',
    );
  }
  const tls = certificate(config);
  checkReach('EDGEREST_POOLER_HOST', poolerHost, tls, config);
  return { secrets: poolerSecretPrevious === null ? [poolerSecret] : [poolerSecret, poolerSecretPrevious], tls };
}

/** Makes a server of the pooler. Throws StartError where its certificate cannot be used. */
export function usable<T>(make: () => T): T {
  try {
    return make();
  } catch {
    // OpenSSL's own words say nothing about which file is at fault.
    throw new StartError(
      'EDGEREST_POOLER_TLS_CERT and EDGEREST_POOLER_TLS_KEY are not a certificate and its key in PEM.',
    );
  }
}

/** Opens the door. Returns the server and where it listens. Throws StartError when the port cannot be had. */
export async function openDoor(
  door: Door,
  { poolerHost: host, poolerPort: port, maxBodySize }: Config,
  { pooler, observe, memory }: Program,
): Promise<{ readonly server: HopServer; readonly listening: Listening }> {
  const { source } = pooler;
  const options: HopServerOptions = {
    ...door,
    hop: observeHop(pooler.hop, observe, () => source.current()?.config.logLevel ?? 'error'),
    limits: { head: HEAD_LIMIT, payload: maxBodySize },
    memory,
    source,
    judge: (token) => judge(pooler.trust(), token),
    onError: (message) => observe({ kind: 'fault', error: new Error(`the hop: ${message}`) }),
    onRefused: ({ reason, message: text }, from) => observe({ kind: 'message refused', reason, text, from }),
  };
  const server = usable(() => new HopServer(options));
  const listening = await listen(server.server, { kind: 'tcp', host, port, variable: 'EDGEREST_POOLER_PORT' });
  return { server, listening };
}
