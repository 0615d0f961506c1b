/** A snapshot and the keys that belong to it, from one pooler. */
import { sameContent } from '../../shared/snapshot/version.ts';
import type { FetchedState } from './fetched.ts';
import type { PoolerClient } from './pooler-client.ts';

/**
 * Asks one pooler, unless it has one of the known versions' content. `unknown`: a key that it looks for first, as in fetchKeys.
 * Never throws.
 */
export async function fetchState(
  pooler: Pick<PoolerClient, 'fetchSnapshot' | 'fetchKeys'>,
  known: readonly string[],
  signal: AbortSignal | null,
  unknown: string | null = null,
): Promise<FetchedState> {
  const found = unknown === null ? null : await pooler.fetchKeys(signal, unknown);
  if (found?.kind === 'failed') return found;
  const version = found?.snapshot ?? null;
  if (version !== null && known.some((one) => sameContent(one, version))) return { kind: 'same', version };
  const [answer, early] = await Promise.all([
    pooler.fetchSnapshot(known, signal),
    found ?? (known.length === 0 ? pooler.fetchKeys(signal) : null),
  ]);
  if (answer.kind !== 'new') return answer;
  const { snapshot } = answer;
  const together = early?.kind === 'keys' && sameContent(early.snapshot ?? '', snapshot.version);
  const keys = together ? early : await pooler.fetchKeys(signal);
  return keys.kind === 'failed' ? keys : { kind: 'new', snapshot, keys: keys.keys };
}
