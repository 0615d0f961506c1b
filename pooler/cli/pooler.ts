/** `edgerest pooler`: the pooler alone, for workers that are elsewhere. */
import { startPooler } from '../start.ts';
import { VERSION } from '../version.ts';
import type { Configured } from './config.ts';
import { checkDoor, hopTrust, openDoor } from './door.ts';
import { onReload } from './reload.ts';
import { DRAIN_TIMEOUT, onShutdown } from './shutdown.ts';

/** Starts it and returns when it listens; it ends with the process. Throws StartError. */
export async function pooler({ configuration, log }: Configured): Promise<void> {
  const config = configuration.current;
  const door = checkDoor(config);
  log('notice', `Starting edgerest ${VERSION} (pooler)`);
  const shutdown = onShutdown(log);
  const running = await startPooler({
    configuration,
    log,
    trust: hopTrust(),
    onFatal: () => shutdown.end(1),
  });
  shutdown.add(() => running.close(DRAIN_TIMEOUT));
  onReload(running.source);
  const { server, address } = await openDoor(door, config, running, log);
  shutdown.add(() => server.close(DRAIN_TIMEOUT));
  log('notice', `Pooler listening on ${address}`);
}
