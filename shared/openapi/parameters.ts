/** The parameters that all tables share. */
import { arrayOrNone, type Member, object, text } from './json.ts';

/** What a parameter may have besides: JSON text. */
interface More {
  readonly default?: string;
  readonly enum?: string | null;
}

function parameter(key: string, name: string, description: string, place: 'header' | 'query', more: More = {}): Member {
  return [
    key,
    object([
      ['name', text(name)],
      ['description', text(description)],
      ['required', 'false'],
      ['default', more.default ?? null],
      ['enum', more.enum ?? null],
      ['in', text(place)],
      ['type', text('string')],
    ]),
  ];
}

const prefer = (key: string, values: readonly string[]): Member =>
  parameter(key, 'Prefer', 'Preference', 'header', { enum: arrayOrNone(values.map(text)) });

const RETURN = ['return=representation', 'return=minimal', 'return=none'];
const RESOLUTION = ['resolution=ignore-duplicates', 'resolution=merge-duplicates'];
const PAGINATION = 'Limiting and Pagination';

export const SHARED_PARAMETERS: readonly Member[] = [
  prefer('preferParams', []),
  prefer('preferReturn', RETURN),
  prefer('preferCount', ['count=none']),
  prefer('preferPost', [...RETURN, ...RESOLUTION]),
  parameter('select', 'select', 'Filtering Columns', 'query'),
  parameter('on_conflict', 'on_conflict', 'On Conflict', 'query'),
  parameter('order', 'order', 'Ordering', 'query'),
  parameter('range', 'Range', PAGINATION, 'header'),
  parameter('rangeUnit', 'Range-Unit', PAGINATION, 'header', { default: text('items') }),
  parameter('offset', 'offset', PAGINATION, 'query'),
  parameter('limit', 'limit', PAGINATION, 'query'),
];
