import { describe, expect, it } from 'vitest';
import { fuzzyMatch, fuzzyMatches, fuzzySet, similarity } from './fuzzy.ts';

describe('similarity', () => {
  it.each([
    ['', '', 1],
    ['kitten', 'sitting', 4 / 7],
    ['projectx', 'projects', 7 / 8],
    ['ab', '', 0],
    ['naïve', 'naive', 4 / 5],
    ['🐘a', '🐘b', 1 / 2],
  ])('of %s and %s', (a, b, score) => {
    expect(similarity(a, b)).toBeCloseTo(score, 12);
  });
});

describe('a fuzzy set', () => {
  const set = fuzzySet(['projects', 'project_invoices', 'clients', 'Articles']);

  it('finds an equal name whatever its case, and nothing else then', () => {
    expect(fuzzyMatches(set, 'articles')).toEqual([{ score: 1, value: 'Articles' }]);
  });

  it('finds similar names, best first', () => {
    expect(fuzzyMatches(set, 'project')).toEqual([
      { score: 7 / 8, value: 'projects' },
      { score: 7 / 16, value: 'project_invoices' },
    ]);
  });

  it('wants a minimal score', () => {
    expect(fuzzyMatch(set, 'projxxxx')).toBe('projects');
    expect(fuzzyMatch(set, 'projxxxx', 0.75)).toBeNull();
    expect(fuzzyMatch(set, 'zzz')).toBeNull();
    expect(fuzzyMatch(fuzzySet([]), 'zzz')).toBeNull();
  });

  it('tries pairs of characters when triples give nothing', () => {
    expect(fuzzyMatch(fuzzySet(['abxcd']), 'ab')).toBe('abxcd');
  });

  it('looks at characters, however many units they take', () => {
    expect(fuzzyMatch(fuzzySet(['🐘🐘🐘abc']), '🐘🐘🐘abd', 0.75)).toBe('🐘🐘🐘abc');
    expect(fuzzyMatch(set, 'project'.repeat(1000))).toBeNull();
  });

  it('prefers the last of the values among equals', () => {
    expect(fuzzyMatch(fuzzySet(['items1', 'items2']), 'items3')).toBe('items2');
  });
});
