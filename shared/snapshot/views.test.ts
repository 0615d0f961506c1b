import { beforeAll, expect, test } from 'vitest';
import { introspect, lines, tableOf } from '../../test/introspect.ts';
import type { Schema } from './schema.ts';

const SCRIPT = `
  create schema private; create schema extra;
  create table private.clients (id int primary key, name text);
  create table private.projects (id int primary key, client_id int references private.clients, "a {b}" text);
  create table private.pairs (x int, y int, primary key (x, y));
  create table private.uses (id int primary key, x int, y int, foreign key (x, y) references private.pairs);
  create view clients as select id, name from private.clients;
  create view projects as select id as "number {1}", client_id as "client\\, id", "a {b}" as ":resorigtbl" from private.projects;
  create view chained as select "number {1}" as id, "client\\, id" as client from projects;
  create view extra.between as select * from private.projects;
  create view through_extra as select id, client_id from extra.between;
  create view private.unseen as select * from private.projects;
  create view through_private as select id, client_id from private.unseen;
  create view joined as
    select p.id, c.id as client, c.name from private.projects p join private.clients c on c.id = p.client_id;
  create view selected as
    with recent as (select * from private.projects)
    select r.id, s.client_id, (select max(id) from private.clients) as newest
    from recent r, lateral (select client_id from private.projects q where q.id = r.id) s;
  create view united as select id, client_id from private.projects union all select id, client_id from private.projects;
  create view twice as select id as id_1, id as id_2, client_id as c_1, client_id as c_2 from private.projects;
  create view computed as select id + 0 as id, client_id from private.projects;
  create view partly as select x from private.pairs;
  create view pairs as select y as second, x as first from private.pairs;
  create view uses as select id, x as ux, y as uy from private.uses;
  create materialized view kept as select id, client_id from private.projects;
  create view renamed as select id, client_id from private.projects;
  alter view renamed rename column client_id to owner;
  create view ruled as select count(*) as n from private.projects;
  create rule ruled as on insert to ruled do instead insert into private.clients values (new.n::int, 'x') returning id::bigint;
`;

let schema: Schema;

beforeAll(async () => {
  schema = await introspect(SCRIPT, { PGRST_DB_EXTRA_SEARCH_PATH: 'extra' });
});

test('primary keys show through', () => {
  const keys = Object.fromEntries(schema.snapshot.tables.map((t) => [t.name, t.primaryKey]));
  expect(keys).toEqual({
    chained: ['id'],
    clients: ['id'],
    computed: [],
    joined: ['id', 'client'],
    kept: ['id'],
    pairs: ['first', 'second'],
    partly: [],
    projects: ['number {1}'],
    renamed: ['id'],
    ruled: [],
    selected: ['id'],
    through_extra: ['id'],
    through_private: [],
    twice: ['id_1'],
    united: [],
    uses: ['id'],
  });
});

test('a view is related by the foreign keys that it shows, to views of the referenced key', () => {
  expect(lines(schema, 'projects')).toEqual(
    expect.arrayContaining(['many-to-one api.clients(client\\, id=id)', 'many-to-one api.joined(client\\, id=client)']),
  );
  expect(lines(schema, 'clients')).toEqual([
    'one-to-many api.chained(id=client)',
    'one-to-many api.computed(id=client_id)',
    'one-to-many api.kept(id=client_id)',
    'one-to-many api.projects(id=client\\, id)',
    'one-to-many api.renamed(id=owner)',
    'one-to-many api.selected(id=client_id)',
    'one-to-many api.through_extra(id=client_id)',
    'one-to-many api.twice(id=c_1)',
    'one-to-many api.twice(id=c_2)',
  ]);
});

test('keys of several columns are paired column by column', () => {
  expect(lines(schema, 'uses')).toEqual(['many-to-one api.pairs(ux=first&uy=second)']);
  expect(lines(schema, 'partly')).toEqual([]);
});

test('columns that are expressions, and those of unions, are not traced', () => {
  expect(lines(schema, 'united')).toEqual([]);
  expect(tableOf(schema, 'united').columns.map((c) => c.name)).toEqual(['id', 'client_id']);
});

test('a view in a schema that is neither exposed nor searched hides what is under it', () => {
  expect(lines(schema, 'through_private')).toEqual([]);
});
