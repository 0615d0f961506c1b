/** A request of every kind, with what it is answered. */
import type { Ask } from '../writes/api.ts';

export interface Request extends Ask {
  readonly name: string;
  readonly method: string;
  readonly target: string;
  readonly status: number;
  /** Whether the session is cleaned afterwards, as code of the database's users may have run. */
  readonly resets: boolean;
}

export const schema = `
  create table api.item (id int primary key, name text default gen_random_uuid()::text, unique (name));
  create table api.part (id int primary key, item int references api.item deferrable initially deferred, note text);
  insert into api.item select n, 'item ' || n from generate_series(1, 100) n;
  insert into api.part select n, n, 'part' from generate_series(1, 100) n;
  create view api.item_view as select id, name from api.item;
  create function api.into_view() returns trigger language plpgsql as $$ begin
    insert into api.item values (new.id, new.name); return new; end $$;
  create trigger into_view instead of insert on api.item_view for each row execute function api.into_view();
  create function api.add(a int, b int default 1) returns int language sql immutable as 'select a + b';
  create function api.some_items(low int) returns setof api.item language sql stable as 'select * from api.item where id >= low';
  create function api.take(amount int) returns setof api.item language sql volatile as 'delete from api.item where id > 1000 and id <= 1000 + amount returning *';
  create function api.nothing() returns void language sql volatile as '';
  create function api.serious(a int) returns text language sql volatile set default_transaction_isolation = 'serializable'
    as $$ select current_setting('transaction_isolation') $$;
  create function api.from_json(json) returns json language sql immutable as 'select $1';
  create function api.from_bytes(bytea) returns int language sql immutable as 'select length($1)';
  create function api.fails() returns int language plpgsql volatile as $$ begin raise sqlstate 'PT418' using message = 'teapot'; end $$;
  create table api.changing (id int, note text);
  insert into api.changing values (1, 'as it was');
  create table api.change (note text);
  create function api.note_change() returns trigger language plpgsql as $$ begin insert into api.change values (new.note); return new; end $$;
  create trigger note_change after update on api.changing for each row execute function api.note_change();
  alter role WRITER set default_transaction_isolation = 'repeatable read';
  alter role WRITER set statement_timeout = '20s';
`;

const prefer = (value: string): Pick<Ask, 'headers'> => ({ headers: { prefer: value } });
const accept = (value: string): Pick<Ask, 'headers'> => ({ headers: { accept: value } });

const read = (name: string, target: string, more: Partial<Request> = {}): Request => ({
  name,
  method: 'GET',
  target,
  status: 200,
  resets: false,
  ...more,
});

const write = (name: string, method: string, target: string, status: number, more: Partial<Request> = {}): Request => ({
  name,
  method,
  target,
  status,
  resets: true,
  ...more,
});

const singular = 'application/vnd.pgrst.object+json';
const plan = 'application/vnd.pgrst.plan+text; for="application/json"; options=analyze';
let id = 5000;
const row = (): object => ({ id: ++id, name: `new ${id}` });

/** The same requests, with keys that were not used before. */
export const requests = (): readonly Request[] => [
  read('a read', '/item?select=id&limit=2'),
  read('a read with conditions', '/item?id=in.(1,2)&or=(name.eq.x,id.gt.0)&order=name.desc'),
  read('nothing but the headers', '/item', { method: 'HEAD' }),
  read('an exact count', '/item?limit=3', { status: 206, ...prefer('count=exact') }),
  read('a planned count', '/item?limit=3', { status: 206, ...prefer('count=planned') }),
  read('an estimated count', '/item?limit=3', { status: 206, ...prefer('count=estimated') }),
  read('a page beyond the end', '/item?offset=10000', { status: 416, ...prefer('count=exact') }),
  read('embedding', '/item?select=id,part(id,note)&limit=5'),
  read('embedding the other way, with an inner join', '/part?select=id,item!inner(name)&item.id=eq.3'),
  read('one object', '/item?id=eq.1', accept(singular)),
  read('one object of many', '/item', { status: 406, ...accept(singular) }),
  read('CSV', '/item?limit=2', accept('text/csv')),
  read('a plan', '/item', accept('application/vnd.pgrst.plan')),
  read('a time zone', '/item?limit=1', prefer('timezone=Europe/Berlin')),
  read('a role with an isolation level of its own', '/item?limit=1', { token: 'writer' }),
  read('the document', '/'),
  read('a database error', '/item?id=eq.x', { status: 400 }),

  write('an insert', 'POST', '/item', 201, { body: row() }),
  write('an insert that answers with its row', 'POST', '/item', 201, {
    body: row(),
    ...prefer('return=representation'),
  }),
  write('an insert that answers where', 'POST', '/item', 201, { body: row(), ...prefer('return=headers-only') }),
  write('an insert of many', 'POST', '/item', 201, { body: [row(), row(), row()] }),
  write('an insert of CSV', 'POST', '/item', 201, {
    body: `id,name\n${++id},csv ${id}\n`,
    headers: { 'content-type': 'text/csv' },
  }),
  write('an insert with defaults', 'POST', '/item?columns=id,name', 201, {
    body: [{ id: ++id }],
    ...prefer('missing=default'),
  }),
  write('an insert into a view', 'POST', '/item_view', 201, { body: row() }),
  write('an insert that is rolled back', 'POST', '/item', 201, { body: row(), ...prefer('tx=rollback') }),
  write('an insert of nothing', 'POST', '/item', 201, { body: [] }),
  write('an insert as one object, embedded', 'POST', '/part?select=id,item(name)', 201, {
    body: { id: ++id, item: 1 },
    headers: { accept: singular, prefer: 'return=representation' },
  }),
  write('an insert whose guard does not hold', 'POST', '/item', 406, {
    body: [row(), row()],
    headers: { accept: singular, prefer: 'return=representation' },
  }),
  write('an insert that collides', 'POST', '/item', 409, { body: { id: 1, name: 'twice' } }),
  write('an insert that fails at the commit', 'POST', '/part', 409, { body: { id: ++id, item: -1 } }),
  write('an upsert', 'POST', '/item', 200, {
    body: [{ id: 1, name: 'item 1' }],
    ...prefer('resolution=merge-duplicates'),
  }),
  write('an upsert that ignores', 'POST', '/item?on_conflict=name', 201, {
    body: [{ id: ++id, name: 'item 1' }],
    ...prefer('resolution=ignore-duplicates'),
  }),
  write('an update', 'PATCH', '/item?id=eq.2', 204, { body: { name: 'item two' } }),
  write('an update of nothing', 'PATCH', '/item?id=eq.-1', 204, { body: { name: 'x' } }),
  write('an update without columns', 'PATCH', '/item?id=eq.2', 204, { body: {} }),
  write('an update with a limit that holds', 'PATCH', '/part?id=lt.4', 204, {
    body: { note: 'y' },
    ...prefer('handling=strict, max-affected=3'),
  }),
  write('an update with a limit that does not', 'PATCH', '/part?id=lt.5', 400, {
    body: { note: 'z' },
    ...prefer('handling=strict, max-affected=3'),
  }),
  write('an update of one object', 'PATCH', '/item?id=eq.3', 200, {
    body: { name: 'item three' },
    headers: { accept: singular, prefer: 'return=representation' },
  }),
  write('a PUT', 'PUT', '/item?id=eq.4', 200, {
    body: { id: 4, name: 'item four' },
    ...prefer('return=representation'),
  }),
  write('a PUT of another row', 'PUT', '/item?id=eq.4', 400, { body: { id: 5, name: 'item five' } }),
  write('a delete', 'DELETE', '/part?id=eq.99', 204),
  write('a delete that answers', 'DELETE', '/part?id=eq.98', 200, prefer('return=representation, count=exact')),
  write('a delete of too many', 'DELETE', '/part?id=gt.90', 400, prefer('handling=strict, max-affected=1')),
  write('a plan that runs', 'POST', '/item', 200, { body: row(), ...accept(plan) }),
  write('a write with a level of its own', 'PATCH', '/item?id=eq.2', 204, {
    body: { name: 'item 2' },
    token: 'writer',
  }),

  write('a call by GET', 'GET', '/rpc/add?a=1&b=2', 200),
  write('a call by HEAD', 'HEAD', '/rpc/add?a=1', 200),
  write('a call', 'POST', '/rpc/add', 200, { body: { a: 1, b: 2 } }),
  write('a call of a set', 'POST', '/rpc/some_items?select=id,part(id)&order=id&limit=2', 206, {
    body: { low: 5 },
    ...prefer('count=exact'),
  }),
  write('a call with conditions', 'GET', '/rpc/some_items?low=5&id=lt.9', 200),
  write('a volatile call', 'POST', '/rpc/take', 200, { body: { amount: 1 } }),
  write('a volatile call with a limit', 'POST', '/rpc/take', 200, {
    body: { amount: 1 },
    ...prefer('handling=strict, max-affected=2'),
  }),
  write('a call without a result', 'POST', '/rpc/nothing', 204),
  write('a call with a level of its own', 'POST', '/rpc/serious', 200, { body: { a: 1 } }),
  write('a call that is rolled back', 'POST', '/rpc/take', 200, { body: { amount: 1 }, ...prefer('tx=rollback') }),
  write('a call with the whole body', 'POST', '/rpc/from_json', 200, { body: { any: 'thing' } }),
  write('a call with bytes', 'POST', '/rpc/from_bytes', 200, {
    body: new Uint8Array([0, 255]),
    headers: { 'content-type': 'application/octet-stream' },
  }),
  write('a call that fails', 'POST', '/rpc/fails', 418),
];
