/** Whether a message's request is one for what its statement is about: a pre-request may go by method and path. */
import type { TransactionRequest } from '../../shared/hop/types.ts';
import { percentDecode } from '../../shared/percent.ts';
import type { QualifiedIdentifier } from '../../shared/sql/identifiers.ts';

/** What the statement is about. `of`: the relation, or a function's overloads. */
export type Target = {
  readonly methods: readonly string[];
  readonly access: readonly TransactionRequest['access'][];
} & (
  | { readonly kind: 'root' }
  | { readonly kind: 'relation' | 'routine'; readonly of: readonly QualifiedIdentifier[] }
);

/** `root`: the function that stands at the root of the API, if one does. */
export function isRequestFor(
  { method, path, schema, access, document }: TransactionRequest,
  target: Target,
  root: QualifiedIdentifier | null,
): boolean {
  if (!target.methods.includes(method) || !target.access.includes(access)) return false;
  const isRoot = path === '/' || path === '';
  if (target.kind === 'root') return isRoot && root === null;
  if (document === true) return false;
  return target.of.some((id) => {
    if (id.schema !== schema) return false;
    if (target.kind === 'relation') return isSegment(path.startsWith('/') ? path.slice(1) : path, id.name);
    return isRoot ? root?.name === id.name : isCall(path, id.name);
  });
}

function isCall(path: string, name: string): boolean {
  const start = path.startsWith('/') ? 1 : 0;
  const slash = path.indexOf('/', start);
  return slash >= 0 && isSegment(path.slice(start, slash), 'rpc') && isSegment(path.slice(slash + 1), name);
}

/** Whether one segment of a path, with its escapes, is this name. */
function isSegment(segment: string, name: string): boolean {
  if (segment.includes('/')) return false;
  if (!segment.includes('%')) return segment === name;
  const bytes = percentDecode(Buffer.from(segment).toString('latin1'), false);
  return Buffer.from(bytes, 'latin1').toString() === name;
}
