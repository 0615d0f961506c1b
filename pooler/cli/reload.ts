/** The signals by which PostgREST is told to reload. Node would open its debugger on the one and end on the other. */
import type { SnapshotSource } from '../snapshot/source.ts';

/** SIGUSR1 loads the schema cache anew, SIGUSR2 the configuration with it. */
export function onReload(source: SnapshotSource): void {
  process.on('SIGUSR1', () => void source.reload());
  process.on('SIGUSR2', () => void source.reload('config'));
}
