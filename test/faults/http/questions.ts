/** What is asked over HTTP, and how the answer to each question must look. */
import { signedToken } from '../../token.ts';
import type { Random } from '../random.ts';

export const JWT_SECRET = 'a secret for the tokens of the fault tests';

export type Kind =
  | 'read'
  | 'view'
  | 'large'
  | 'headed'
  | 'write'
  | 'bulk'
  | 'guarded'
  | 'deferred'
  | 'rolled back'
  | 'leaves state'
  | 'prepares'
  | 'leftovers'
  | 'abandoned'
  | 'late'
  | 'bump'
  | 'shape'
  | 'full disk'
  | 'spill';

/** `always`: a 2xx wrote the row. `never`: whatever the answer, there is no row. `no`: it does not write. */
type Writes = 'always' | 'never' | 'no';

export interface Question {
  readonly kind: Kind;
  readonly nonce: string;
  readonly role: string;
  readonly method: 'GET' | 'POST';
  readonly target: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly writes: Writes;
  /** The database's own refusal that the question asks for, `<status> <code>`; null where it shall succeed. */
  readonly refusal: string | null;
  /** Milliseconds after which the client goes away; null: it waits. */
  readonly leavesAfter: number | null;
  /** The answer as it must be: what JSON gives, whatever its order. */
  readonly answer: (json: unknown) => boolean;
}

/** A token with these claims. */
export const token = (claims: Readonly<Record<string, string>>): string => signedToken(claims, JWT_SECRET);

const field = (json: unknown, name: string): unknown => Reflect.get(Object(json), name);
const first = (json: unknown): unknown => (Array.isArray(json) && json.length === 1 ? json[0] : undefined);

/** Whether the database says that it was this one's request: who asked, the claims, and what it asked with. */
function isOwn(json: unknown, role: string, nonce: string): boolean {
  const text = field(json, 'claims');
  if (field(json, 'who') !== role || typeof text !== 'string') return false;
  const claims: unknown = JSON.parse(text);
  if (field(claims, 'nonce') !== nonce || field(claims, 'role') !== role) return false;
  return field(json, 'nonce') === nonce && (field(json, 'header') ?? nonce) === nonce;
}

/** Makes one question of a kind. */
export function question(kind: Kind, nonce: string, role: string, random: Random): Question {
  const write = (body: object | readonly object[], prefer = 'return=representation') =>
    ({
      method: 'POST',
      target: '/ledger?select=nonce,who,claims',
      body: JSON.stringify(body),
      headers: { prefer, 'content-type': 'application/json' },
      answer: (json: unknown) => isOwn(first(json), role, nonce),
      writes: 'always',
    }) as const;
  const call = (name: string, parameters: object = {}) =>
    ({
      method: 'POST',
      target: `/rpc/${name}`,
      body: JSON.stringify({ nonce, ...parameters }),
      headers: { 'content-type': 'application/json' },
      answer: (json: unknown) => json === nonce,
      writes: 'always',
    }) as const;
  const get = (target: string) =>
    ({ method: 'GET', target, body: '', headers: {}, answer: () => true, writes: 'no' }) as const;
  const made = (part: Pick<Question, 'method' | 'target' | 'body' | 'headers' | 'answer' | 'writes'>): Question => ({
    kind,
    nonce,
    role,
    refusal: null,
    leavesAfter: null,
    ...part,
    headers: { ...part.headers, authorization: `Bearer ${token({ role, nonce })}`, 'x-nonce': nonce },
  });
  switch (kind) {
    case 'read':
      return made({ ...get(`/rpc/whoami?nonce=${nonce}`), answer: (json) => isOwn(json, role, nonce) });
    case 'view':
      return made({ ...get('/me'), answer: (json) => isOwn(first(json), role, nonce) });
    case 'leftovers':
      return made({ ...get('/through_view'), answer: (json) => JSON.stringify(json) === '[{"left":{}}]' });
    case 'large':
    case 'headed': {
      const size = 50_000 + random.below(200_000);
      const filled = (json: unknown) => field(json, 'filler') === 'x'.repeat(size) && isOwn(json, role, nonce);
      return made({
        ...get(`/rpc/${kind === 'large' ? 'whoami' : 'headed'}?nonce=${nonce}&size=${size}`),
        answer: filled,
      });
    }
    case 'write':
      return made(write({ nonce }));
    case 'bulk':
      return made(write([{ nonce, filler: 'y'.repeat(1000 + random.below(100_000)) }]));
    case 'guarded':
      // Two rows where one was asked for: the guard takes both back.
      return {
        ...made({ ...write([{ nonce }, { nonce: `${nonce}-2` }]), writes: 'never' }),
        refusal: '406 PGRST116',
        headers: { ...made(write({})).headers, accept: 'application/vnd.pgrst.object+json' },
      };
    case 'deferred':
      return { ...made({ ...write({ nonce, parent: 2 }), writes: 'never' }), refusal: '409 23503' };
    case 'rolled back':
      return made({ ...write({ nonce }, 'return=representation, tx=rollback'), writes: 'never' });
    case 'leaves state':
      return made(call('leave_state'));
    case 'prepares':
      return made(call('prepare'));
    case 'abandoned':
      return { ...made(call('nap', { seconds: 0.03 })), leavesAfter: random.below(40) };
    case 'late':
      return { ...made({ ...call('late'), writes: 'never' }), refusal: '500 57014' };
    case 'bump':
      return made(call('bump'));
    case 'shape':
      return made({
        ...write({ nonce }),
        target: '/shape?select=*',
        answer: (json) => field(first(json), 'nonce') === nonce,
      });
    case 'full disk':
      return { ...made({ ...call('full_disk'), writes: 'never' }), refusal: '503 53100' };
    case 'spill':
      return { ...made({ ...call('spill'), writes: 'never' }), refusal: '500 53400' };
  }
}
