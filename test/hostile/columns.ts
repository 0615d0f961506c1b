/** Names of columns with what may follow them, and conditions on them, in the grammar of the query string. */
import type { Table } from '../../shared/snapshot/types.ts';
import type { Choices } from './choices.ts';
import { encoded, join, joined, slot, type Template } from './template.ts';
import { hostileText } from './words.ts';

/** In double quotes, as names and elements of lists may be written. */
export const quoted = (text: string): string => `"${text.replace(/["\\]/g, '\\$&')}"`;

/** Parameters that have a meaning of their own: a column of that name is only reached in quotes. */
const RESERVED = ['select', 'and', 'or', 'not', 'order', 'limit', 'offset', 'columns', 'on_conflict'];

/** A name as the grammar reads it back. */
export const written = (name: string): string =>
  /^[a-z][a-z_0-9]*$/.test(name) && !RESERVED.includes(name) ? name : quoted(name);

export interface ColumnChoice {
  readonly name: string;
  /** The type under domains; '' when it is no column of the table. */
  readonly type: string;
}

/** Mostly a column of the table. */
export function columnOf(choices: Choices, table: Table | undefined): ColumnChoice {
  const columns = table?.columns ?? [];
  if (columns.length > 0 && !choices.oneIn(16)) {
    const column = choices.of(columns);
    return { name: column.name, type: column.baseType };
  }
  return {
    name: choices.from(
      () => 'id',
      () => 'initial',
      () => hostileText(choices),
    ),
    type: '',
  };
}

const isJson = (type: string): boolean => type === 'json' || type === 'jsonb';
const isComposite = (type: string): boolean => type.endsWith('place') || type.endsWith('[]');

/** A path into JSON. The keys are values, unless they name something as well. */
export function jsonPath(choices: Choices, { type }: ColumnChoice, keysAreNames: boolean): Template {
  if (!(isJson(type) || isComposite(type) ? choices.oneIn(2) : choices.oneIn(40))) return [];
  const key = (): Template => (keysAreNames ? [quoted(hostileText(choices))] : encoded(slot('some'), quoted));
  const steps: Template[] = [join(choices.of(['->', '->>']), choices.oneIn(4) ? String(choices.below(3)) : key())];
  // An index right before a closing parenthesis would be read as a key: only keys end a path.
  if (choices.oneIn(3)) steps.push(join(choices.of(['->>', '->']), key()));
  return joined(steps, '');
}

const COMPARISONS = ['eq', 'neq', 'gt', 'gte', 'lt', 'lte'] as const;
const PATTERNS = ['like', 'ilike', 'match', 'imatch'] as const;
const SETS = ['cs', 'cd', 'ov'] as const;
const RANGES = ['sl', 'sr', 'nxr', 'nxl', 'adj', ...SETS] as const;
const SEARCHES = ['fts', 'plfts', 'phfts', 'wfts'] as const;
const QUANTIFIED: readonly string[] = ['eq', 'gt', 'gte', 'lt', 'lte', ...PATTERNS];

function operatorsFor(type: string): readonly string[] {
  if (type === 'tsvector') return SEARCHES;
  if (type.endsWith('range')) return [...RANGES, ...COMPARISONS];
  if (type.endsWith('[]') || type === 'jsonb') return [...SETS, ...COMPARISONS];
  if (type === 'text' || type === 'character varying') return [...PATTERNS, ...COMPARISONS, ...SEARCHES];
  return COMPARISONS;
}

/** `[not.]operator.value`; a nested value, in a logic tree, is quoted. */
export function condition(choices: Choices, type: string, nested: boolean): Template {
  const not = choices.oneIn(5) ? 'not.' : '';
  const value = encoded(slot('text'), nested ? quoted : (text) => text);
  return join(
    not,
    choices.from<Template>(
      () => {
        const operator = choices.oneIn(20)
          ? choices.of([...RANGES, ...SEARCHES, ...PATTERNS])
          : choices.of(operatorsFor(type));
        const isSearch = SEARCHES.some((search) => search === operator);
        if (isSearch && choices.oneIn(2)) return join(operator, '(', slot('word'), ').', value);
        const quantifier = QUANTIFIED.includes(operator) && choices.oneIn(4) ? choices.of(['(any)', '(all)']) : '';
        return join(operator, quantifier, '.', value);
      },
      () =>
        join(
          'in.(',
          joined([encoded(slot('some'), quoted), ...choices.some(3, () => encoded(slot('text'), quoted))], ','),
          ')',
        ),
      () => [`is.${choices.of(['null', 'not_null', 'true', 'FALSE', 'unknown'])}`],
      () => join('isdistinct.', value),
      () => join('eq.', value),
    ),
  );
}

/** A condition, or some joined by `and` and `or`, as it stands inside a logic tree. */
export function logicTree(
  choices: Choices,
  table: Table | undefined,
  names: readonly string[],
  depth: number,
): Template {
  if (depth > 0 && choices.oneIn(3)) {
    return join(choices.of(['and', 'or', 'not.and', 'not.or']), logicList(choices, table, names, depth - 1));
  }
  if (names.length > 0 && choices.oneIn(6))
    return [`${written(choices.of(names))}.${choices.of(['is.null', 'not.is.null'])}`];
  const column = columnOf(choices, table);
  const path = jsonPath(choices, column, false);
  return join(written(column.name), path, '.', condition(choices, path.length > 0 ? 'text' : column.type, true));
}

export function logicList(
  choices: Choices,
  table: Table | undefined,
  names: readonly string[],
  depth: number,
): Template {
  const first = logicTree(choices, table, names, depth);
  return join('(', joined([first, ...choices.some(2, () => logicTree(choices, table, names, depth))], ','), ')');
}
