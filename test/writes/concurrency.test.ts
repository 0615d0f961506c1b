/** 64 clients over 4 connections: each checks that what it was told is what is stored, under its own name. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Api, createWriteDatabase, modes, sign, startApi, type WriteDatabase } from './api.ts';

const clients = 64;
/** The long form takes more from the environment. */
const rounds = Number(process.env.EDGEREST_WRITE_ROUNDS ?? 6);

const schema = `
  create table api.note (nonce text primary key, client int not null, body text, at int not null default 0, who name not null default current_user,
    claimed text default current_setting('request.jwt.claims')::json ->> 'client');
  alter table api.note enable row level security;
  create policy own on api.note using (client::text = current_setting('request.jwt.claims')::json ->> 'client');
  create function api.add_note(nonce text, client int, body text, fail bool) returns api.note language plpgsql volatile as $$
  declare made api.note; begin
    insert into api.note (nonce, client, body) values (nonce, client, body) returning * into made;
    if fail then raise sqlstate 'PT409' using message = nonce; end if;
    return made; end $$;`;

let database: WriteDatabase;
beforeAll(async () => {
  database = await createWriteDatabase(schema);
});
afterAll(() => database?.drop());

describe.each(modes)('%s', (mode) => {
  let api: Api;
  beforeAll(async () => {
    api = await startApi(mode, database, { PGRST_DB_POOL: '4', PGRST_DB_TX_END: 'commit-allow-override' });
  });
  afterAll(() => api?.stop());

  test('every answer is its own, and what was answered with success is what is stored', async () => {
    await database.sql`truncate api.note`;
    /** Nonces that were answered with success, with what is stored under them then. */
    const stored = new Map<string, { client: number; body: string | null; at: number }>();

    const client = async (number: number): Promise<void> => {
      const role = number % 2 === 0 ? database.writer : database.anon;
      const token = await sign({ role, client: String(number) });
      for (let round = 0; round < rounds; round++) {
        const nonce = `${mode}-${number}-${round}`;
        const body = `${nonce} ${'ü'.repeat((number * 37 + round) % 500)}`;
        const row = { nonce, client: number, body };
        const representation = { prefer: 'return=representation' };
        const own = { nonce, client: number, who: role, claimed: String(number) };
        const at = `/note?nonce=eq.${nonce}`;

        const made = await api.ask('POST', '/note', { token, body: [row], headers: representation });
        expect(made.status).toBe(201);
        expect(JSON.parse(made.text)).toEqual([{ ...own, body, at: 0 }]);
        stored.set(nonce, { client: number, body, at: 0 });

        const again = await api.ask('POST', '/note', { token, body: row });
        expect([again.status, JSON.parse(again.text).code]).toEqual([409, '23505']);

        const changed = await api.ask('PATCH', at, { token, body: { at: round + 1 }, headers: representation });
        expect(JSON.parse(changed.text)).toEqual([{ ...own, body, at: round + 1 }]);
        stored.set(nonce, { client: number, body, at: round + 1 });

        const called = { nonce: `${nonce}-called`, client: number, body: null, fail: round % 2 === 0 };
        const call = await api.ask('POST', '/rpc/add_note', { token, body: called });
        if (called.fail) expect([call.status, JSON.parse(call.text).message]).toEqual([409, called.nonce]);
        else {
          expect(JSON.parse(call.text)).toEqual({ ...own, nonce: called.nonce, body: null, at: 0 });
          stored.set(called.nonce, { client: number, body: null, at: 0 });
        }

        const undone = { token, body: { ...row, nonce: `${nonce}-undone` }, headers: { prefer: 'tx=rollback' } };
        expect((await api.ask('POST', '/note', undone)).status).toBe(201);

        const others = `/note?client=neq.${number}`;
        expect((await api.ask('DELETE', others, { token, headers: representation })).text).toBe('[]');
        const seen = await api.ask('GET', `${at}&select=body,at,client`, { token });
        expect(JSON.parse(seen.text)).toEqual([{ client: number, body, at: round + 1 }]);
      }
    };

    await Promise.all(Array.from({ length: clients }, (_, number) => client(number)));
    const rows = await database.sql<{ nonce: string; client: number; body: string | null; at: number }[]>`
      select nonce, client, body, at from api.note`;
    expect(new Map(rows.map(({ nonce, ...rest }) => [nonce, rest]))).toEqual(stored);
  }, 120_000);
});
