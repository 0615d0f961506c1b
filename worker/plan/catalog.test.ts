import { beforeAll, describe, expect, it } from 'vitest';
import type { Schema } from '../../shared/snapshot/schema.ts';
import { introspect } from '../../test/introspect.ts';
import { parseRequest } from '../request/parse-request.ts';
import { errorOf } from './office.fixture.ts';
import { planRequest } from './plan.ts';
import type { Plan, ReadPlan } from './types.ts';

let schema: Schema;

beforeAll(async () => {
  schema = await introspect(
    `
    create domain color as int;
    create function color_json(color) returns json language sql immutable as 'select to_json(to_hex($1::int))';
    create function color_text(text) returns color language sql immutable as 'select 0::color';
    create cast (color as json) with function color_json(color) as implicit;
    create cast (text as color) with function color_text(text) as implicit;
    create domain "text/plain" as text;
    create table clients (id int primary key, name text);
    create table projects (id int primary key, client_id int references clients, tint color, words tsvector);
    create table tags (id int primary key, label text);
    create table project_tags (project_id int references projects, tag_id int references tags, primary key (project_id, tag_id));
    create table persons (id int primary key, boss int references persons);
    create view project_list as select id as key, client_id as client, tint from projects;
    create function main_tag(projects) returns setof tags rows 1 language sql stable as 'select null::tags';
    create function best_projects(how_many int default 3) returns setof projects language sql stable as 'select null::projects';
    create function summary() returns "text/plain" language sql immutable as 'select ''x''::"text/plain"';
    create function total(variadic numbers int[]) returns int language sql immutable as 'select 1';
    `,
    { PGRST_DB_ANON_ROLE: 'anon', PGRST_DB_AGGREGATES_ENABLED: 'true' },
  );
});

const plan = (target: string, accept = '*/*'): Plan =>
  planRequest(
    parseRequest(
      { method: 'GET', target, headers: [['accept', accept]], body: new Uint8Array() },
      schema.snapshot.settings,
    ),
    schema,
  );

function read(target: string): ReadPlan {
  const planned = plan(target);
  if (!('read' in planned)) throw new Error(`a ${planned.kind} plan`);
  return planned.read;
}

describe('on a real catalog', () => {
  it('views are joined by the columns that they show', () => {
    expect(read('/project_list?select=key,clients(name)').children[0]?.relation.joinConditions).toEqual([
      {
        left: { relation: { schema: '', name: 'clients_1' }, column: 'id' },
        right: { relation: { schema: 'api', name: 'project_list' }, column: 'client' },
      },
    ]);
  });

  it('embeds nest through junctions, functions and back to themselves', () => {
    const projects = read('/clients?select=name,projects(id,tags(label),main_tag(id))&projects.tags.limit=1')
      .children[0];
    expect(projects?.children.map((c) => [c.relation.name, c.relation.toParent?.kind, c.range.limit])).toEqual([
      ['tags', 'detected', 1n],
      ['main_tag', 'computed', null],
    ]);
    const boss = read('/persons?select=id,boss(id),staff:persons(id)&staff.id=is.null').children;
    expect(boss.map((c) => [c.relation.name, c.relation.aggregateAlias])).toEqual([
      ['persons', 'persons_staff_1'],
      ['boss', 'persons_boss_1'],
    ]);
  });

  it('represented domains are converted, in views too', () => {
    const { select, where } = read('/project_list?select=*&tint=eq.ff&words=fts.x');
    expect(select.map((s) => [s.field.name, s.field.transform, s.alias])).toEqual([
      ['key', null, null],
      ['client', null, null],
      ['tint', 'api.color_json', 'tint'],
    ]);
    expect(where).toMatchObject([
      { field: { transform: 'api.color_text', type: 'text' } },
      { field: { toTsVector: null } },
    ]);
  });

  it('functions are called by their arguments and read as tables', () => {
    const called = plan('/rpc/best_projects?how_many=2&select=id,clients(name),sum:id.sum()');
    expect(called).toMatchObject({
      call: {
        parameters: { parameters: [{ name: 'how_many', type: 'integer', required: false }] },
        returning: ['client_id', 'id'],
      },
      read: { fromAlias: 'projects', relationSelect: [{ mode: 'object' }] },
    });
    expect(plan('/rpc/total?numbers=1&numbers=2')).toMatchObject({
      call: { arguments: { values: new Map([['numbers', ['1', '2']]]) } },
    });
    expect(plan('/rpc/summary', 'application/json, text/plain')).toMatchObject({ mediaType: { kind: 'json' } });
    expect(plan('/rpc/summary', 'text/plain')).toMatchObject({
      handler: { kind: 'custom', target: { schema: 'api', name: 'summary' } },
      mediaType: { kind: 'text' },
    });
  });

  it('names that are not there suggest others', () => {
    expect(errorOf(() => plan('/client'))).toMatchObject({ hint: "Perhaps you meant the table 'api.clients'" });
    expect(errorOf(() => plan('/clients?select=project(id)'))).toMatchObject({
      hint: "Perhaps you meant 'projects' instead of 'project'.",
    });
    expect(errorOf(() => plan('/rpc/best_projects?how_much=2'))).toMatchObject({
      hint: 'Perhaps you meant to call the function api.best_projects(how_many)',
    });
  });
});
