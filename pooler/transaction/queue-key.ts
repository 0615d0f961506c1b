/** Whose queue a request waits in: its tenant's, where a claim says so, else its role's; anonymous clients are told apart by network. */
import { isIP } from 'node:net';
import { type ClaimPath, claimAt, parseClaimPath } from '../../shared/config/claim-path.ts';
import type { Config } from '../../shared/config/resolve.ts';
import type { Caller } from '../../shared/transaction/plan.ts';

/** Characters of a key; those that differ only beyond share a queue. */
const LONGEST = 200;
/** How many claims' keys are remembered, and up to how many characters of claims. */
const REMEMBERED = 1000;
const LONGEST_CLAIMS = 8192;

export class QueueKeys {
  readonly #path: ClaimPath | null;
  readonly #anonymous: string | null;
  /** The claims of a token that has been seen before are the same text each time. */
  readonly #known = new Map<string, string | null>();

  constructor({ queueKey, dbAnonRole }: Pick<Config, 'queueKey' | 'dbAnonRole'>) {
    this.#path = queueKey === null ? null : parseClaimPath(queueKey);
    this.#anonymous = dbAnonRole;
  }

  /** `address`: the client's, null where it is not known. */
  of({ role, claims }: Caller, address: string | null): string {
    const claimed = this.#path === null ? null : this.#claim(this.#path, claims);
    if (claimed !== null) return claimed;
    if (role !== this.#anonymous) return role;
    const network = networkOf(address);
    return network === null ? role : `${role} ${network}`;
  }

  #claim(path: ClaimPath, claims: string): string | null {
    const known = this.#known.get(claims);
    if (known !== undefined) return known;
    const found = keyAt(path, claims);
    if (claims.length > LONGEST_CLAIMS) return found;
    if (this.#known.size >= REMEMBERED) this.#known.clear();
    this.#known.set(claims, found);
    return found;
  }
}

/** What a message's own claims hold may not even be JSON. */
function keyAt(path: ClaimPath, claims: string): string | null {
  try {
    return claimAt(path, JSON.parse(claims))?.slice(0, LONGEST) ?? null;
  } catch {
    return null;
  }
}

/** The network that an address is counted to, /24 or /64: what one client usually has. Null where it is no address. */
export function networkOf(address: string | null): string | null {
  if (address === null) return null;
  switch (isIP(address)) {
    case 4:
      return `${address.slice(0, address.lastIndexOf('.'))}.0/24`;
    case 6:
      return `${firstGroups(address)}::/64`;
    default:
      return null;
  }
}

/** The first four of an IPv6 address's eight groups, written one way (RFC 4291, section 2.2). */
function firstGroups(address: string): string {
  const [head = '', tail] = address.replace(/%.*$/, '').split('::');
  const before = head === '' ? [] : head.split(':');
  const after = tail === undefined || tail === '' ? [] : tail.split(':');
  // Dotted decimals at the end stand for two groups.
  const dotted = address.includes('.') ? 1 : 0;
  const zeros = tail === undefined ? 0 : 8 - before.length - after.length - dotted;
  const groups = [...before, ...Array.from({ length: zeros }, () => '0'), ...after].slice(0, 4);
  return groups.map((group) => Number.parseInt(group, 16).toString(16)).join(':');
}
