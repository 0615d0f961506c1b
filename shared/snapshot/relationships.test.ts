import { beforeAll, expect, test } from 'vitest';
import { introspect, lines } from '../../test/introspect.ts';
import type { Schema } from './schema.ts';

let schema: Schema;

beforeAll(async () => {
  schema = await introspect(
    `
    create schema private; create schema v2;
    create table clients (id int primary key, parent int references clients);
    create table projects (id int primary key, client_id int references clients, code text, year int, unique (code, year));
    create table budgets (project_id int primary key references projects);
    create table passports (id int primary key, client_id int unique references clients);
    create table notes (id int primary key, code text, year int, foreign key (year, code) references projects (year, code));
    create table tags (id int primary key);
    create table project_tags (project_id int references projects, tag_id int references tags, primary key (project_id, tag_id));
    create table mentions (id int primary key, project_id int references projects, tag_id int references tags);
    create table friends (a int references clients, b int references clients, primary key (a, b));
    create table private.secrets (id int primary key, project_id int references projects);
    create table private.links (project_id int references projects, tag_id int references tags, primary key (project_id, tag_id));
    create table labels (id int primary key);
    create table private.labelled (label_id int references labels, tag_id int references tags, primary key (label_id, tag_id));
    create table v2.tasks (id int primary key, project_id int references projects);
    create table events (id int, at date, project_id int references projects, primary key (id, at)) partition by range (at);
    create table events_1 partition of events for values from ('2020-01-01') to ('2021-01-01');
    create table visits (event_id int, event_at date, foreign key (event_id, event_at) references events);
    create function first_project(clients) returns setof projects rows 1 language sql stable as 'select null::projects';
    create function all_tags(clients) returns setof tags language sql stable as 'select null::tags';
    create function tags(projects) returns setof tags language sql stable as 'select null::tags';
    create function budgets(budgets) returns budgets language sql stable as 'select null::budgets';
    create function private.hidden(projects) returns setof tags language sql stable as 'select null::tags';
    create function v2.tasks_of(api.projects) returns setof v2.tasks language sql stable as 'select null::v2.tasks';
    create function v2.clients_of(api.projects) returns setof api.clients language sql stable as 'select null::api.clients';
    `,
    { PGRST_DB_SCHEMAS: 'api, v2' },
  );
});

test('one-to-many and many-to-one, to itself as well', () => {
  expect(lines(schema, 'clients')).toEqual([
    'one-to-many api.clients(id=parent) self',
    'many-to-one api.clients(parent=id) self',
    'many-to-many api.clients by friends(id=a; id=b) self',
    'many-to-many api.clients by friends(id=b; id=a) self',
    'one-to-many api.friends(id=a)',
    'one-to-many api.friends(id=b)',
    'one-to-one parent api.passports(id=client_id)',
    'one-to-many api.projects(id=client_id)',
    'computed many all_tags api.tags',
    'computed one first_project api.projects',
  ]);
});

test('one-to-one where the foreign key is a primary key or unique', () => {
  expect(lines(schema, 'passports')).toEqual(['one-to-one api.clients(client_id=id)']);
  expect(lines(schema, 'budgets')).toEqual([
    'one-to-one api.projects(project_id=id)',
    'computed one budgets api.budgets',
  ]);
});

test('a key of several columns keeps the pairs of the constraint', () => {
  expect(lines(schema, 'notes')).toEqual(['many-to-one api.projects(year=year&code=code)']);
});

test('a junction needs both foreign keys in its primary key, and to be exposed; a computed relationship overrides', () => {
  expect(lines(schema, 'tags')).toEqual([
    'one-to-many api.mentions(id=tag_id)',
    'one-to-many api.project_tags(id=tag_id)',
    'many-to-many api.projects by project_tags(id=tag_id; id=project_id)',
  ]);
  expect(lines(schema, 'projects')).toEqual([
    'one-to-one parent api.budgets(id=project_id)',
    'many-to-one api.clients(client_id=id)',
    'one-to-many api.events(id=project_id)',
    'one-to-many api.mentions(id=project_id)',
    'one-to-many api.notes(year=year&code=code)',
    'one-to-many api.project_tags(id=project_id)',
    'computed many tags api.tags',
  ]);
});

test('relations that only hidden junctions and hidden targets relate are known by name', () => {
  expect(schema.snapshot.concealedOrigins).toEqual([{ table: { schema: 'api', name: 'labels' }, schema: 'api' }]);
});

test('a partitioned table is related, its partitions are not', () => {
  expect(lines(schema, 'events')).toEqual([
    'many-to-one api.projects(project_id=id)',
    'one-to-many api.visits(id=event_id&at=event_at)',
  ]);
  expect(lines(schema, 'events_1')).toEqual([]);
});

test('relationships are found by the schema of their target, computed ones by that of their function', () => {
  const targets = schema.relationships({ schema: 'api', name: 'projects' }, 'v2').map((r) => r.foreignTable.name);
  expect(targets).toEqual(['tasks', 'clients', 'tasks']);
});
