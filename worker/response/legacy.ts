/** Filters and orders that name an embedded relation by its target although it has an alias: PostgREST's old way. */
import type { ReadPlan } from '../plan/types.ts';
import { byteString } from './bytes.ts';
import type { Header } from './types.ts';

/** What should be changed, "`name` to `alias`" each, in the order of the tree. */
export function legacyNames(read: ReadPlan): readonly string[] {
  if (read.children.length === 0) return [];
  const changes: string[] = [];
  const collect = ({ relation, children }: ReadPlan): void => {
    if (relation.legacyTargetName && relation.alias !== null) {
      changes.push(`\`${relation.name}\` to \`${relation.alias}\``);
    }
    children.forEach(collect);
  };
  collect(read);
  return changes;
}

/** The header that tells the client. */
export function legacyWarning(names: readonly string[]): Header {
  const text =
    'Embedded resource was referenced by relation name even though it has an alias. This is deprecated and will stop ' +
    `working in a future release. Update ${names.join(', ')} in query string filters, orders or limits.`;
  return ['Warning', byteString(`299 PostgRESTv16.2 "${text}"`)];
}
