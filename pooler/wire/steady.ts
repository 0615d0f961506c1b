import type { TargetSession } from './config.ts';
import { isWanted, reportedKind } from './server-kind.ts';

/**
 * What must not change while a session lasts, by what the server reports of it: a function can change what the bytes mean and who we are,
 * and outlive the reset's knowledge of it; a server can be promoted.
 */
export class Steady {
  readonly #parameters: ReadonlyMap<string, string>;
  readonly #target: TargetSession;
  readonly #authorization: string | undefined;
  /** Whether the server said at login that it is of the wanted kind. */
  readonly #wanted: boolean;

  /** `parameters` are kept up to date by whoever reads what the server says. */
  constructor(parameters: ReadonlyMap<string, string>, target: TargetSession) {
    this.#parameters = parameters;
    this.#target = target;
    this.#authorization = parameters.get('session_authorization');
    this.#wanted = this.#isWanted();
  }

  get intact(): boolean {
    if (this.#parameters.get('client_encoding') !== 'UTF8') return false;
    if (this.#parameters.get('session_authorization') !== this.#authorization) return false;
    return !this.#wanted || this.#isWanted();
  }

  #isWanted(): boolean {
    const kind = reportedKind(this.#parameters);
    return kind !== null && isWanted(this.#target, kind);
  }
}
