/** The parameters that all tables share. */
import { arrayOrNone, type Member, object, text } from './json.ts';

function parameter(
  key: string,
  name: string,
  description: string,
  place: 'header' | 'query',
  more: readonly Member[] = [],
): Member {
  return [
    key,
    object([
      ['name', text(name)],
      ['description', text(description)],
      ['required', 'false'],
      ['in', text(place)],
      ['type', text('string')],
      ...more,
    ]),
  ];
}

const prefer = (key: string, values: readonly string[]): Member =>
  parameter(key, 'Prefer', 'Preference', 'header', [['enum', arrayOrNone(values.map(text))]]);

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
  parameter('rangeUnit', 'Range-Unit', PAGINATION, 'header', [['default', text('items')]]),
  parameter('offset', 'offset', PAGINATION, 'query'),
  parameter('limit', 'limit', PAGINATION, 'query'),
];
