/** `edgerest pooler`: the pooler alone, for workers that are elsewhere. */
import type { Configured } from './config.ts';
import { checkDoor, hopTrust, openDoor } from './door.ts';
import { startProgram } from './program.ts';
import { DRAIN_TIMEOUT } from './shutdown.ts';

/** Starts it and returns when it listens; it ends with the process. Throws StartError. */
export async function pooler(configured: Configured): Promise<void> {
  const door = checkDoor(configured.configuration.current);
  const program = await startProgram({ name: ' (pooler)', configured, trust: hopTrust });
  const { server, listening } = await openDoor(door, program.config, program);
  program.shutdown.add(() => server.close(DRAIN_TIMEOUT));
  program.opened('Pooler', listening.address, listening.isReachable);
}
