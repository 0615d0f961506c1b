import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createDatabase, type TestDatabase } from '../../test/postgres.ts';
import { connect } from './connect.ts';
import type { Connection } from './connection.ts';
import type { Flight, FlightResult } from './types.ts';
import { parseConnectionString } from './uri.ts';

let database: TestDatabase;
let on: Connection;

beforeAll(async () => {
  database = await createDatabase('cancel', 'create table t (a int)');
  on = await connect(parseConnectionString(database.uri, {}));
});

afterAll(async () => {
  await on.close();
  await database.drop();
});

function flight(text: string, more: Partial<Flight> = {}): Flight {
  return { statements: [{ text, parameters: [], prepare: 'named', result: 'row' }], reset: false, ...more };
}

const what = (result: FlightResult) =>
  result.outcome === 'failed' ? `${result.error.code} ${result.cancelled}` : result.results[0]?.row?.text(0);

describe.each([false, true])('with reset %s', (reset) => {
  test('a deadline cancels, and everything of the flight is undone', async () => {
    const insert = { text: 'insert into t values (1)', parameters: [], prepare: 'named', result: 'none' } as const;
    const sleeping = flight('select pg_sleep(60)');
    const result = await on.flight({ statements: [insert, ...sleeping.statements], reset, deadline: Date.now() + 50 });
    expect([what(result), result.outcome === 'failed' && result.statement]).toEqual(['57014 deadline', 1]);
    expect(await on.free()).toBe(true);
    expect(await database.sql`select * from t`).toEqual([]);
    expect(what(await on.flight(flight('select 1', { reset, deadline: Date.now() + 60_000 })))).toBe('1');
    expect(await on.free()).toBe(true);
  });

  test('a signal cancels, also one that was raised before', async () => {
    const { promise: started, resolve: begun } = Promise.withResolvers<void>();
    const controller = new AbortController();
    const result = on.flight(flight('select pg_sleep(60)', { reset, signal: controller.signal }));
    void expect
      .poll(() => database.sql`select from pg_stat_activity where pid = ${on.processId} and wait_event = 'PgSleep'`)
      .toHaveLength(1)
      .then(begun);
    await started;
    controller.abort();
    expect(what(await result)).toBe('57014 signal');
    expect(await on.free()).toBe(true);
    expect(what(await on.flight(flight('select pg_sleep(60)', { reset, signal: controller.signal })))).toBe(
      '57014 signal',
    );
    expect(await on.free()).toBe(true);
  });

  test('an explicit transaction that is cancelled is rolled back', async () => {
    const transaction = { isolation: 'serializable', readOnly: false, end: 'commit' } as const;
    const result = await on.flight(flight('select pg_sleep(60)', { reset, transaction, deadline: Date.now() + 50 }));
    expect(what(result)).toBe('57014 deadline');
    expect(await on.free()).toBe(true);
    expect(what(await on.flight(flight('select 1', { reset })))).toBe('1');
    expect(await on.free()).toBe(true);
  });

  test('300 cancellations that come too late hit no innocent flight', async () => {
    const seen = { cancelled: 0, late: 0, innocent: 0 };
    for (let i = 0; i < 300; i++) {
      const controller = new AbortController();
      const asked = on.flight(flight('select 1', { reset, signal: controller.signal }));
      // The answer is likely to be on its way already.
      for (let turns = i % 3; turns > 0; turns--) await new Promise(setImmediate);
      controller.abort();
      const cancelled = (await asked).outcome === 'failed';
      if (cancelled) seen.cancelled++;
      else seen.late++;
      expect(await on.free()).toBe(true);
      const next = await on.flight(flight(`select ${i % 7}, pg_sleep(0.0002)`, { reset }));
      if (what(next) === String(i % 7)) seen.innocent++;
      expect(await on.free()).toBe(true);
    }
    expect(seen.innocent).toBe(300);
    expect(seen.cancelled + seen.late).toBe(300);
  });
});

test('a server that does not answer to a cancellation loses the connection', async () => {
  const stubborn = await connect(parseConnectionString(database.uri, {}), { cancelTimeout: 200, closeTimeout: 100 });
  // A function that catches the cancellation and goes on.
  await database.sql.unsafe(`create or replace function stubborn() returns void language plpgsql as $$ begin
    for i in 1..50 loop begin perform pg_sleep(1); exception when query_canceled then null; end; end loop; end $$`);
  await expect(stubborn.flight(flight('select stubborn()', { deadline: Date.now() + 50 }))).rejects.toMatchObject({
    kind: 'unknown',
  });
  expect(await stubborn.free()).toBe(false);
  await stubborn.close();
  await database.sql`select pg_terminate_backend(${stubborn.processId})`;
});
