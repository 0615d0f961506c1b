/** The signals by which PostgREST is told to reload. */
import type { Log } from '../log.ts';
import type { SnapshotSource } from '../snapshot/source.ts';

/**
 * SIGUSR1 loads the schema cache anew. It has to be taken in any case: Node opens its debugger on it, and ends on SIGUSR2.
 */
export function onReload(source: SnapshotSource, log: Log): void {
  process.on('SIGUSR1', () => void source.reload());
  process.on('SIGUSR2', () => {
    log('notice', 'SIGUSR2: the configuration is in the environment, which does not change while this process runs');
  });
}
