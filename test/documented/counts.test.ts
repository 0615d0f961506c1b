/** What PostgREST's documentation says of pagination and counts: the examples. */
import { describe, expect, test } from 'vitest';
import type { Answer } from '../blog/server.ts';
import { documented } from './server.ts';

const script = `
  create table bigtable (id int primary key);
  insert into bigtable select generate_series(1, 5000);
  create table smalltable (id int primary key);
  insert into smalltable select generate_series(1, 321);
  create view small as select * from smalltable;
  create function all_small() returns setof smalltable stable language sql as 'select * from smalltable';
  analyze bigtable; analyze smalltable;
`;

const seen = ({ status, headers }: Answer): readonly unknown[] => [status, headers.get('content-range')];

describe('ranges', () => {
  const { get, ask } = documented(script);

  test.each([
    ['/smalltable?limit=15&offset=30', {}, [200, '30-44/*']],
    ['/smalltable', {}, [200, '0-320/*']],
    ['/smalltable', { 'Range-Unit': 'items', Range: '0-19' }, [200, '0-19/*']],
    ['/smalltable', { 'Range-Unit': 'items', Range: '310-' }, [200, '310-320/*']],
    ['/smalltable?id=eq.0', { Range: '0-19' }, [200, '*/*']],
    ['/small?limit=25', { Prefer: 'count=exact' }, [206, '0-24/321']],
    ['/rpc/all_small?limit=25', { Prefer: 'count=exact' }, [206, '0-24/321']],
    ['/smalltable', { Prefer: 'count=exact' }, [200, '0-320/321']],
    // Without db-max-rows a count is the estimate or the page, whichever is larger.
    ['/smalltable?limit=25', { Prefer: 'count=estimated' }, [206, '0-24/321']],
  ] as const)('%s %o', async (target, headers, result) => {
    expect(seen(await get(target, headers))).toEqual(result);
    // The Range header belongs to GET (RFC 9110, 14.2); the documentation's examples with HEAD are older than that rule.
    if (!('Range' in headers)) expect(seen(await ask('HEAD', target, { headers }))).toEqual(result);
  });

  test('an exact count of a range', async () => {
    const headers = { 'Range-Unit': 'items', Range: '0-24', Prefer: 'count=exact' };
    expect(seen(await get('/bigtable', headers))).toEqual([206, '0-24/5000']);
    expect(seen(await ask('HEAD', '/bigtable', { headers }))).toEqual([200, '0-4999/5000']);
  });

  test('a planned count', async () => {
    const [status, range] = seen(await ask('HEAD', '/bigtable?limit=25', { headers: { Prefer: 'count=planned' } }));
    expect(status).toBe(206);
    expect(range).toMatch(/^0-24\/\d+$/);
  });
});

describe('with db-max-rows', () => {
  const { ask } = documented(script, { PGRST_DB_MAX_ROWS: '1000' });
  const estimate = (target: string) => ask('HEAD', target, { headers: { Prefer: 'count=estimated' } });

  test("an estimated count is exact up to it, and the plan's beyond", async () => {
    expect(seen(await estimate('/smalltable?limit=25'))).toEqual([206, '0-24/321']);
    expect(seen(await estimate('/bigtable?limit=25'))).toEqual([206, '0-24/5000']);
    expect(seen(await ask('HEAD', '/bigtable'))).toEqual([200, '0-999/*']);
  });
});
