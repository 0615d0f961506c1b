/** The signals by which PostgREST is told to reload. Node would open its debugger on the one and end on the other. */
import type { SnapshotSource } from '../snapshot/source.ts';

/**
 * Takes the signals over: SIGUSR1 loads the schema cache anew, SIGUSR2 the configuration with it. They do nothing before the
 * returned function is told what to reload: the first load is under way then.
 */
export function onReload(): (source: SnapshotSource) => void {
  let reloaded: SnapshotSource | null = null;
  process.on('SIGUSR1', () => void reloaded?.reload());
  process.on('SIGUSR2', () => void reloaded?.reload('config'));
  return (source) => {
    reloaded = source;
  };
}
