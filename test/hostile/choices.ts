/** Decisions taken from drawn numbers, so that fast-check shrinks whatever is built of them. */
import fc from 'fast-check';

/** Without numbers left every decision is its first possibility: what is built comes to an end, and small ones are simple. */
export class Choices {
  readonly #numbers: ArrayLike<number>;
  #at = 0;

  constructor(numbers: ArrayLike<number>) {
    this.#numbers = numbers;
  }

  /** A number from 0 up to, not including, `limit`. */
  below(limit: number): number {
    return (this.#numbers[this.#at++] ?? 0) % limit;
  }

  /** True once in `n` times. */
  oneIn(n: number): boolean {
    return this.below(n) === n - 1;
  }

  /** One of a list that is not empty. */
  of<T>(list: readonly T[]): T {
    const found = list[this.below(list.length)];
    if (found === undefined) throw new RangeError('there is nothing to choose from');
    return found;
  }

  /** What one of the functions makes. */
  from<T>(...makers: readonly (() => T)[]): T {
    return this.of(makers)();
  }

  /** Up to `most` of what the function makes. */
  some<T>(most: number, make: () => T): T[] {
    return Array.from({ length: this.below(most + 1) }, make);
  }
}

/** Choices as fast-check draws them. */
export const choices: fc.Arbitrary<Uint16Array> = fc.uint16Array({ minLength: 20, maxLength: 160, size: 'max' });
