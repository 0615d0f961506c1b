import { describe, expect, it } from 'vitest';
import { qualified } from '../../shared/sql/identifiers.ts';
import { errorOf, get, office, request, snapshot } from './office.fixture.ts';
import { planRequest } from './plan.ts';

describe('an unknown table', () => {
  it('is PGRST205, with a table of nearly that name', () => {
    expect(errorOf(() => planRequest(get('projectx'), office()))).toMatchObject({
      status: 404,
      code: 'PGRST205',
      message: "Could not find the table 'test.projectx' in the schema cache",
      details: null,
      hint: "Perhaps you meant the table 'test.projects'",
      fromSnapshot: true,
    });
    expect(errorOf(() => planRequest(get('projxxxx'), office()))).toMatchObject({ hint: null });
  });

  it('suggests nothing in a schema of 500 tables', () => {
    const [first] = snapshot.tables;
    const named = (n: number) => Array.from({ length: n }, (_, i) => ({ ...first, name: `t${i}` }) as typeof first);
    const tables = (n: number) =>
      [...snapshot.tables, ...named(n - snapshot.tables.length)].filter((t) => t !== undefined);
    expect(errorOf(() => planRequest(get('projectx'), office({ tables: tables(499) })))).toMatchObject({
      hint: "Perhaps you meant the table 'test.projects'",
    });
    expect(errorOf(() => planRequest(get('projectx'), office({ tables: tables(500) })))).toMatchObject({ hint: null });
  });

  it('is so for OPTIONS too', () => {
    const options = (name: string) =>
      request({}, { action: { kind: 'relation-info', target: qualified('test', name) } });
    expect(planRequest(options('clients'), office())).toMatchObject({
      kind: 'relation-info',
      table: { name: 'clients' },
    });
    expect(errorOf(() => planRequest(options('nope'), office()))).toMatchObject({ code: 'PGRST205' });
    expect(planRequest(request({}, { action: { kind: 'schema-info' } }), office())).toEqual({ kind: 'schema-info' });
  });
});

it('unknown preferences are PGRST122 where handling is strict', () => {
  const invalid = ['anything', 'else=x'];
  const action = get('clients').action;
  expect(
    errorOf(() => planRequest(request({}, { action, preferences: { invalid, handling: 'strict' } }), office())),
  ).toMatchObject({
    status: 400,
    code: 'PGRST122',
    message: 'Invalid preferences given with handling=strict',
    details: 'Invalid preferences: anything, else=x',
  });
  expect(planRequest(request({}, { action, preferences: { invalid, handling: 'lenient' } }), office()).kind).toBe(
    'read',
  );
});
