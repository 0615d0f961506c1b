import { hash, timingSafeEqual } from 'node:crypto';

const digest = (text: string): Buffer => hash('sha256', text, 'buffer');

/** The secrets that are accepted. Compared by their digests, in constant time, each of them every time. */
export class Secrets {
  readonly #digests: readonly Buffer[];

  constructor(secrets: readonly string[]) {
    this.#digests = secrets.map(digest);
  }

  /** Whether an Authorization header carries one of them. */
  accepts(authorization: string | undefined): boolean {
    const token = /^Bearer +([^\s]+) *$/i.exec(authorization ?? '')?.[1];
    if (token === undefined) return false;
    const given = digest(token);
    return this.#digests.reduce((found, expected) => timingSafeEqual(expected, given) || found, false);
  }
}
