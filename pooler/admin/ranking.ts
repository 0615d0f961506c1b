/**
 * The heaviest of any number of things, in bounded space: Space-Saving (Metwally, Agrawal, El Abbadi 2005). What comes anew takes
 * the place of the lightest one and its weight, so that nothing heavy is ever missed; what it may have too much is known.
 */

/** A thing with its weight. */
export interface Ranked<T> {
  readonly item: T;
  readonly weight: number;
  /** What of the weight may be others'. */
  readonly inherited: number;
}

interface Entry<T> extends Ranked<T> {
  readonly one: string;
  readonly other: string;
  weight: number;
}

export class Ranking<T> {
  readonly #capacity: number;
  readonly #make: () => T;
  /** By two names: joining them for every look-up would cost more than the rest. */
  readonly #entries = new Map<string, Map<string, Entry<T>>>();
  readonly #all: Entry<T>[] = [];

  constructor(capacity: number, make: () => T) {
    this.#capacity = capacity;
    this.#make = make;
  }

  /** What is kept of the thing that has these names, which weighs more now. */
  weigh(one: string, other: string, weight: number): T {
    let entry = this.#entries.get(one)?.get(other);
    if (entry === undefined) {
      const inherited = this.#all.length < this.#capacity ? 0 : this.#makeRoom();
      entry = { one, other, item: this.#make(), weight: inherited, inherited };
      this.#all.push(entry);
      const others = this.#entries.get(one);
      if (others === undefined) this.#entries.set(one, new Map([[other, entry]]));
      else others.set(other, entry);
    }
    entry.weight += weight;
    return entry.item;
  }

  /** The heaviest ones first. */
  heaviest(count: number): readonly (Ranked<T> & { readonly one: string; readonly other: string })[] {
    return this.#all.toSorted((a, b) => b.weight - a.weight).slice(0, count);
  }

  /** Forgets the lightest and says what it weighed. */
  #makeRoom(): number {
    let at = 0;
    for (let i = 1; i < this.#all.length; i++) {
      if ((this.#all[i]?.weight ?? 0) < (this.#all[at]?.weight ?? 0)) at = i;
    }
    const [lightest] = this.#all.splice(at, 1);
    if (lightest === undefined) return 0;
    const others = this.#entries.get(lightest.one);
    others?.delete(lightest.other);
    if (others?.size === 0) this.#entries.delete(lightest.one);
    return lightest.weight;
  }
}
