/** A snapshot and the keys that belong to it, from one pooler. */
import type { Snapshot } from '../../shared/snapshot/types.ts';
import { sameContent } from '../../shared/snapshot/version.ts';
import type { KeySet } from '../auth/keys.ts';
import type { FetchedSnapshot, PoolerClient } from './pooler-client.ts';

export type FetchedState =
  | { readonly kind: 'new'; readonly snapshot: Snapshot; readonly keys: KeySet | null }
  | Exclude<FetchedSnapshot, { readonly kind: 'new' }>;

/** Asks one pooler, unless it has one of the known versions' content. Never throws. */
export async function fetchState(
  pooler: Pick<PoolerClient, 'fetchSnapshot' | 'fetchKeys'>,
  known: readonly string[],
  signal: AbortSignal | null,
): Promise<FetchedState> {
  const [answer, early] = await Promise.all([
    pooler.fetchSnapshot(known, signal),
    known.length === 0 ? pooler.fetchKeys(signal) : null,
  ]);
  if (answer.kind !== 'new') return answer;
  const { snapshot } = answer;
  const together = early?.kind === 'keys' && sameContent(early.snapshot ?? '', snapshot.version);
  const keys = together ? early : await pooler.fetchKeys(signal);
  return keys.kind === 'failed' ? keys : { kind: 'new', snapshot, keys: keys.keys };
}
