import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { brief, duration, harmless, type Look, linesOf } from './screen.ts';
import type { Seen } from './seen.ts';
import { type Output, Terminal } from './terminal.ts';

const summary = { total: 1234, mean: 1.5, p99: 12, max: 250 };

const seen = (more: Partial<Seen> = {}): Seen => ({
  program: 'edgerest 0.1.0 (pooler)',
  uptime: 3700,
  memory: 100 * 1024 * 1024,
  eventLoop: { mean: 0.1, p99: 1, max: 20 },
  pool: {
    size: 10,
    busy: 3,
    resetting: 1,
    idle: 5,
    connecting: 1,
    closing: 0,
    waiting: 12,
    flights: 12_345,
    retries: 2,
    refused: [
      ['queue-full', 0],
      ['acquisition-timeout', 7],
    ],
  },
  cancelled: { deadline: 1, clientGone: 2 },
  connectionsLost: 0,
  preparedStatements: { hits: 999, misses: 1 },
  keys: [
    { key: 'tenant 1', waiting: 12, oldest: 340, requests: 5000, wait: summary, used: 70_000 },
    { key: '', waiting: 0, oldest: 0, requests: 7, wait: summary, used: 1 },
  ],
  statements: ['note', 'comment', 'author'].map((table, i) => ({
    id: `0000000${i}`,
    text: `WITH pgrst_source AS ( SELECT "api"."${table}".* FROM "api"."${table}" ) SELECT null::bigint AS total_result_set`,
    role: 'web_anon',
    count: 100 * i,
    failed: i,
    time: summary,
  })),
  ...more,
});

const look = (at: number, more: Partial<Seen> = {}): Look => ({ at, seen: seen(more) });

test('everything there is, where there is room', () => {
  expect(linesOf(look(0), null, null)).toEqual([
    'edgerest 0.1.0 (pooler), up 61 min, 100 MiB, event loop late by 0.10 ms, p99 1.00 ms, max 20 ms',
    'connections 10: 3 busy, 1 resetting, 5 idle, 1 connecting, 0 closing; 0 lost',
    'waiting 12 of 1 key(s), the oldest for 340 ms',
    'flights 12,345 (-/s), sent again 2; cancelled: deadline 1, client gone 2; prepared statements 99.9% hits',
    'refused: queue-full 0, acquisition-timeout 7',
    '',
    'KEY       WAITING  OLDEST  REQUESTS  MEAN WAIT    P99     MAX     USED',
    'tenant 1       12  340 ms     5,000    1.50 ms  12 ms  250 ms   70.0 s',
    '-               0       -         7    1.50 ms  12 ms  250 ms  1.00 ms',
    '',
    'ID        ROLE      CALLS  CALLS/s  FAILED  TOTAL     MEAN    P99     MAX  STATEMENT',
    '00000000  web_anon      0        -       0  1.2 s  1.50 ms  12 ms  250 ms  SELECT "api"."note".* FROM "api"."note"',
    '00000001  web_anon    100        -       1  1.2 s  1.50 ms  12 ms  250 ms  SELECT "api"."comment".* FROM "api"."comment"',
    '00000002  web_anon    200        -       2  1.2 s  1.50 ms  12 ms  250 ms  SELECT "api"."author".* FROM "api"."author"',
  ]);
});

test('rates are those since the look before, of the same program', () => {
  const pool = { ...seen().pool, flights: 12_545 };
  const lines = linesOf(look(2000, { pool, uptime: 3702 }), look(0), null);
  expect(lines[3]).toContain('flights 12,545 (100/s)');
  expect(linesOf(look(2000, { pool, uptime: 1 }), look(0), null)[3]).toContain('(-/s)');
});

test('no more lines and no longer ones than there is room for', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 120 }), (rows, columns) => {
      const lines = linesOf(look(0), null, { rows, columns });
      expect(lines.length).toBeLessThanOrEqual(rows);
      for (const line of lines) expect([...line].length).toBeLessThanOrEqual(columns);
    }),
  );
  const lines = linesOf(look(0), null, { rows: 13, columns: 200 });
  expect(lines.filter((line) => line.startsWith('0000000'))).toHaveLength(3);
});

test('names cannot speak to the terminal', () => {
  expect(harmless('a\x1b[2Jb\x07\n\u202ec\x9bd\u2028e')).toBe('a?[2Jb? ?c?d e');
  const statement = { id: '\x1b1', text: '\x1b]0;x\x07', role: '\x1b[31m', count: 1, failed: 0, time: summary };
  const key = { key: '\x1b[2J', waiting: 1, oldest: 1, requests: 1, wait: summary, used: 1 };
  const lines = linesOf(look(0, { program: '\x1bc', statements: [statement], keys: [key] }), null, null);
  for (const line of lines) expect(line).not.toMatch(/\p{Cc}/u);
});

test.each([
  ['SELECT 1', 'SELECT 1'],
  ['EXPLAIN (FORMAT JSON) SELECT 1  FROM "a"."b"', 'EXPLAIN (FORMAT JSON) SELECT 1 FROM "a"."b"'],
  [
    'WITH pgrst_source AS (DELETE FROM "a"."b" RETURNING 1) SELECT \'\' AS total_result_set, 1',
    'DELETE FROM "a"."b" RETURNING 1',
  ],
  [
    'WITH pgrst_source AS ( SELECT 1 ), pgrst_source_count AS (SELECT 1  FROM "a") SELECT (SELECT pg_catalog.count(*) FROM pgrst_source_count) AS total_result_set',
    'SELECT 1',
  ],
  ['WITH pgrst_source AS ( SELECT 1 ) SELECT (1)::text AS total_result_set', 'SELECT 1'],
])('%j is shown as %j', (text, shown) => {
  expect(brief(text)).toBe(shown);
});

test.each([
  [0, '0.00 ms'],
  [9.994, '9.99 ms'],
  [10, '10 ms'],
  [1500, '1.5 s'],
  [119_000, '119.0 s'],
  [7_199_999, '119 min'],
  [7_200_000, '2 h 0 min'],
  [200 * 3_600_000, '8 d 8 h'],
])('%d milliseconds are %s', (milliseconds, text) => {
  expect(duration(milliseconds)).toBe(text);
});

describe('the terminal', () => {
  const output = (more: Partial<Output> = {}): Output & { readonly written: string[] } => {
    const written: string[] = [];
    return { written, write: (text: string) => written.push(text), ...more };
  };

  test('a terminal is entered once, drawn over, and left as it was', () => {
    const out = output({ isTTY: true, columns: 80, rows: 24 });
    const terminal = new Terminal(out);
    expect(terminal.size).toEqual({ columns: 80, rows: 24 });
    terminal.show(['a', 'b']);
    terminal.show(['c']);
    terminal.leave();
    terminal.leave();
    expect(out.written).toEqual([
      '\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[Ha\x1b[K\r\nb\x1b[K\x1b[J',
      '\x1b[Hc\x1b[K\x1b[J',
      '\x1b[?7h\x1b[?25h\x1b[?1049l',
    ]);
  });

  test('anything else gets lines', () => {
    const out = output();
    const terminal = new Terminal(out);
    expect(terminal.size).toBeNull();
    terminal.show(['a', 'b']);
    terminal.leave();
    expect(out.written).toEqual(['a\nb\n\n']);
  });

  test('its size is looked up anew each time', () => {
    const out = { ...output({ isTTY: true }), columns: 80, rows: 24 };
    const terminal = new Terminal(out);
    out.columns = 100;
    expect(terminal.size).toEqual({ columns: 100, rows: 24 });
  });
});
