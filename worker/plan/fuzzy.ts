/**
 * Approximate look-up of names for hints. The results, ties included, follow the fuzzyset package (0.2.4) that
 * PostgREST uses: names compared by the cosine of their 3-grams, then 2-grams, the best fifty of them by their
 * edit distance.
 */
import { compareHashes } from './hash-order.ts';

const GRAM_SIZES = [3, 2] as const;
const BEST = 50;
const DEFAULT_MIN_SCORE = 0.33;

export interface FuzzyMatch {
  /** 0 to 1; 1 is equal but for case. */
  readonly score: number;
  readonly value: string;
}

interface Entry {
  readonly key: string;
  readonly magnitude: number;
}

interface Posting {
  readonly entry: number;
  readonly count: number;
}

interface GramIndex {
  readonly entries: readonly Entry[];
  readonly postings: ReadonlyMap<string, readonly Posting[]>;
}

export interface FuzzySet {
  /** The values by their lower-case form. */
  readonly exact: ReadonlyMap<string, string>;
  readonly grams: ReadonlyMap<number, GramIndex>;
}

const NOT_IN_WORDS = /[^\p{L}\p{N}\s,]/gu;

function gramCounts(key: string, size: number): ReadonlyMap<string, number> {
  const characters = [...`-${key.replace(NOT_IN_WORDS, '')}-`];
  const counts = new Map<string, number>();
  for (let i = 0; i + size <= characters.length; i++) {
    const gram = characters.slice(i, i + size).join('');
    counts.set(gram, (counts.get(gram) ?? 0) + 1);
  }
  return counts;
}

function magnitude(counts: ReadonlyMap<string, number>): number {
  let squares = 0;
  for (const count of counts.values()) squares += count * count;
  return Math.sqrt(squares);
}

function gramIndex(keys: readonly string[], size: number): GramIndex {
  const postings = new Map<string, Posting[]>();
  const entries = keys.map((key, entry) => {
    const counts = gramCounts(key, size);
    for (const [gram, count] of counts) {
      const list = postings.get(gram);
      if (list) list.push({ entry, count });
      else postings.set(gram, [{ entry, count }]);
    }
    return { key, magnitude: magnitude(counts) };
  });
  return { entries, postings };
}

/** Makes a set of values. The last ones are added first: among equals the package prefers what was added first. */
export function fuzzySet(values: readonly string[]): FuzzySet {
  const exact = new Map<string, string>();
  const kept = new Set<string>();
  const keys: string[] = [];
  for (const value of values.toReversed()) {
    const key = value.toLowerCase();
    if (kept.has(key)) continue;
    kept.add(value);
    keys.push(key);
    exact.set(key, value);
  }
  return { exact, grams: new Map(GRAM_SIZES.map((size) => [size, gramIndex(keys, size)])) };
}

/** 1 minus the Levenshtein distance over the longer length, in characters. */
export function similarity(a: string, b: string): number {
  const s = [...a];
  const t = [...b];
  const longest = Math.max(s.length, t.length);
  if (longest === 0) return 1;
  let row = Array.from({ length: t.length + 1 }, (_, j) => j);
  for (let i = 1; i <= s.length; i++) {
    const next = [i];
    for (let j = 1; j <= t.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (s[i - 1] === t[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return (longest - (row[t.length] ?? longest)) / longest;
}

/**
 * Whether texts of such lengths may be that similar: a very long name of a client's is not worth a look at each of
 * ours. The factor is for characters of two UTF-16 units.
 */
const mayReach = (score: number, a: string, b: string): boolean =>
  2 * Math.min(a.length, b.length) >= score * Math.max(a.length, b.length);

const byScore = (a: { readonly score: number }, b: { readonly score: number }): number => b.score - a.score;

function gramMatches(index: GramIndex, query: string, size: number, minScore: number): readonly FuzzyMatch[] {
  const counts = gramCounts(query, size);
  const products = new Map<number, number>();
  for (const [gram, count] of counts) {
    for (const posting of index.postings.get(gram) ?? []) {
      products.set(posting.entry, (products.get(posting.entry) ?? 0) + posting.count * count);
    }
  }
  const norm = magnitude(counts);
  return [...products]
    .sort(([a], [b]) => compareHashes(BigInt(a), BigInt(b)))
    .flatMap(([position, product]) => {
      const entry = index.entries[position];
      return entry ? [{ score: product / (norm * entry.magnitude), value: entry.key }] : [];
    })
    .sort(byScore)
    .slice(0, BEST)
    .filter(({ value }) => mayReach(minScore, query, value))
    .map(({ value }) => ({ score: similarity(query, value), value }))
    .filter(({ score }) => score >= minScore)
    .sort(byScore);
}

/** The values that resemble a text, best first. An equal one (but for case) is the only result. */
export function fuzzyMatches(set: FuzzySet, text: string, minScore = DEFAULT_MIN_SCORE): readonly FuzzyMatch[] {
  const query = text.toLowerCase();
  const equal = set.exact.get(query);
  if (equal !== undefined) return [{ score: 1, value: equal }];
  for (const [size, index] of set.grams) {
    const found = gramMatches(index, query, size, minScore);
    if (found.length > 0) return found.map(({ score, value }) => ({ score, value: set.exact.get(value) ?? '' }));
  }
  return [];
}

/** The value that resembles a text most, or null. */
export const fuzzyMatch = (set: FuzzySet, text: string, minScore = DEFAULT_MIN_SCORE): string | null =>
  fuzzyMatches(set, text, minScore)[0]?.value ?? null;
