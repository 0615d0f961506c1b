import { describe, expect, test } from 'vitest';
import { mediaTypeName, parseMediaType } from './media-type.ts';
import type { MediaType } from './types.ts';

const plan = (of: MediaType, format: 'json' | 'text', options: readonly string[] = []) => ({
  kind: 'plan',
  for: of,
  format,
  options,
});

test.each([
  ['application/json', { kind: 'json' }],
  ['application/json; charset=utf-8', { kind: 'json' }],
  ['ApplicatIon/JSON', { kind: 'json' }],
  ['application/geo+json', { kind: 'geojson' }],
  ['text/csv', { kind: 'csv' }],
  ['text/plain;x', { kind: 'text' }],
  ['text/xml', { kind: 'xml' }],
  ['application/openapi+json', { kind: 'openapi' }],
  ['application/x-www-form-urlencoded', { kind: 'urlencoded' }],
  ['application/octet-stream', { kind: 'octet-stream' }],
  ['*/*', { kind: 'any' }],
  ['*/*;x=y', { kind: 'any' }],
  ['application/vnd.pgrst.plan;', plan({ kind: 'json' }, 'text')],
  ['application/vnd.pgrst.plan;for="application/json"', plan({ kind: 'json' }, 'text')],
  ['application/vnd.pgrst.plan ; for="text/xml" ; options=analyze', plan({ kind: 'xml' }, 'text', ['analyze'])],
  ['application/vnd.pgrst.plan+json;for="text/csv"', plan({ kind: 'csv' }, 'json')],
  [
    'application/vnd.pgrst.plan+text; FOR="text/xml"; options=wal|analyze|x|buffers|settings|verbose',
    plan({ kind: 'xml' }, 'text', ['analyze', 'verbose', 'settings', 'buffers', 'wal']),
  ],
  ['application/vnd.pgrst.plan;wat="application/json;text/csv"', plan({ kind: 'json' }, 'text')],
  ['application/vnd.pgrst.plan;for=text/xml', plan({ kind: 'other', name: 'text' }, 'text')],
  ['application/vnd.pgrst.array+json;nulls=stripped', { kind: 'array-stripped' }],
  ['application/vnd.pgrst.array+json', { kind: 'json' }],
  ['application/vnd.pgrst.object+json;nulls=stripped', { kind: 'singular', stripped: true }],
  ['application/vnd.pgrst.object+json', { kind: 'singular', stripped: false }],
  ['application/vnd.pgrst.object', { kind: 'singular', stripped: false }],
  ['ApplicatIon/vnd.PgRsT.object+json', { kind: 'singular', stripped: false }],
  ['application/vnd.twkb', { kind: 'other', name: 'application/vnd.twkb' }],
  ['text/html; charset=x', { kind: 'other', name: 'text/html; charset=x' }],
  ['nonsense', { kind: 'other', name: 'nonsense' }],
  ['/x', { kind: 'other', name: '/x' }],
  ['', { kind: 'other', name: '' }],
])('%j', (source, type) => {
  expect(parseMediaType(source)).toEqual(type);
});

describe('names', () => {
  test.each([
    'application/json',
    'application/vnd.pgrst.array+json;nulls=stripped',
    'application/vnd.pgrst.object+json;nulls=stripped',
    'application/vnd.pgrst.object+json',
    'application/vnd.pgrst.plan+json; for="text/csv"',
    'application/vnd.pgrst.plan+text; for="application/json"; options=analyze|wal',
    'text/html; x=y',
    '*/*',
  ])('%s', (name) => {
    expect(mediaTypeName(parseMediaType(name))).toBe(name);
  });
});
