/** `edgerest pooler`: the pooler alone, for workers that are elsewhere. */
import { startPooler } from '../start.ts';
import { VERSION } from '../version.ts';
import { configure } from './config.ts';
import { checkDoor, hopTrust, openDoor } from './door.ts';
import { onReload } from './reload.ts';
import { DRAIN_TIMEOUT, onShutdown } from './shutdown.ts';

/** Starts it and returns when it listens; it ends with the process. Throws StartError. */
export async function pooler(): Promise<void> {
  const { config, log } = configure();
  const door = checkDoor(config);
  log('notice', `Starting edgerest ${VERSION} (pooler)`);
  const shutdown = onShutdown(log);
  const running = await startPooler({
    config,
    log,
    trust: hopTrust(config),
    onFatal: (message) => {
      log('notice', `The database refused the login: ${message}`);
      shutdown.end(1);
    },
  });
  shutdown.add(() => running.close(DRAIN_TIMEOUT));
  onReload(running.source, log);
  const { server, address } = await openDoor(door, config, running, log);
  shutdown.add(() => server.close(DRAIN_TIMEOUT));
  log('notice', `Pooler listening on ${address}`);
}
