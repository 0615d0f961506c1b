/** Programs as an operator runs them: on a port or a socket file of their own, with a small database behind them. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { type IncomingHttpHeaders, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { SignJWT } from 'jose';
import { afterAll, beforeAll } from 'vitest';
import { edgerest, killAll, type Process, says } from '../../pooler/cli/program.fixture.ts';
import { createDatabase, type TestDatabase, uniqueName } from '../postgres.ts';

export type { Process };
export { says };

export const SECRET = 'reallyreallyreallyreallyverysafe';

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

export interface Ask {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** Where a server is: a port of 127.0.0.1, or a socket file. */
export type Place = number | string;

/** Asks on a connection of its own, unless an agent is given. */
export function ask(
  place: Place,
  path: string,
  { method = 'GET', headers = {}, body = '' }: Ask = {},
): Promise<Answer> {
  const where = typeof place === 'number' ? { host: '127.0.0.1', port: place } : { socketPath: place };
  return new Promise((resolve, reject) => {
    const asked = request({ ...where, path, method, headers, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, text }));
      response.on('error', reject);
    });
    asked.on('error', reject);
    asked.end(body);
  });
}

export interface Office {
  readonly database: TestDatabase;
  /** The role without a token, and one that tokens may name. */
  readonly anon: string;
  readonly author: string;
  readonly login: string;
  /** A folder that is removed afterwards. */
  readonly folder: string;
  /** A token for the author, with more claims. */
  token(claims?: Readonly<Record<string, unknown>>): Promise<string>;
  /** Starts a program with the database behind it; `file` is its configuration file. */
  start(command: 'serve' | 'pooler' | 'edge', env?: Readonly<Record<string, string>>, file?: string): Process;
  /** As `start`, on a free port, and waits until it listens. */
  serve(
    env?: Readonly<Record<string, string>>,
    command?: 'serve' | 'edge',
  ): Promise<{ readonly process: Process; readonly port: number }>;
}

const SCRIPT = `
  create table item (id int primary key, name text);
  insert into item values (1, 'one'), (2, 'two'), (3, 'three');
  create table part (id int primary key, item_id int references item, name text);
  insert into part values (10, 1, 'bolt');
  create table secret_plan (id int);
  create function nap(seconds float) returns int language sql volatile as 'select 7 from pg_sleep(seconds)';
  create function fail() returns int language plpgsql as $$ begin raise sqlstate 'PT500' using message = 'on purpose'; end $$;
  create function slow() returns int language sql volatile set statement_timeout = '1ms' as 'select 1 from pg_sleep(9)';
  create function check_request() returns void language sql as 'select';
  create function trace() returns text language sql stable as $$ select current_setting('edgerest.traceparent', true) $$;
  create function path() returns text language sql stable as $$ select current_setting('request.path', true) $$;
  create function role() returns text language sql stable as 'select current_user::text';
`;

/** A database for the tests of a file. What runs is killed and everything removed at the end. */
export function office(prefix: string): Office {
  const login = uniqueName(`${prefix}_login`);
  const anon = uniqueName(`${prefix}_anon`);
  const author = uniqueName(`${prefix}_author`);
  let database: TestDatabase | undefined;
  let folder: string | undefined;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'edgerest-operating-'));
    database = await createDatabase(
      prefix,
      `create role ${login} login noinherit password 'the-password'; create role ${anon}; create role ${author};
       grant ${anon}, ${author} to ${login}; ${SCRIPT}
       grant select, insert, update, delete on item, part to ${anon}, ${author};`,
    );
  });
  afterAll(async () => {
    killAll();
    await database?.sql.unsafe(`drop owned by ${anon}, ${author}; drop role ${login}, ${anon}, ${author}`).simple();
    await database?.drop();
    if (folder !== undefined) await rm(folder, { recursive: true, force: true });
  });

  const made = <T>(thing: T | undefined): T => {
    if (thing === undefined) throw new Error('not made yet');
    return thing;
  };
  const start: Office['start'] = (command, env = {}, file) =>
    edgerest(file === undefined ? [command] : [command, file], {
      PGRST_DB_URI: made(database).uriAs(login, 'the-password'),
      PGRST_DB_ANON_ROLE: anon,
      PGRST_JWT_SECRET: SECRET,
      PGRST_DB_POOL: '2',
      PGRST_SERVER_HOST: '127.0.0.1',
      PGRST_SERVER_PORT: '0',
      EDGEREST_POOLER_PORT: '0',
      ...env,
    });
  return {
    get database() {
      return made(database);
    },
    get folder() {
      return made(folder);
    },
    login,
    anon,
    author,
    token: (claims = {}) =>
      new SignJWT({ role: author, ...claims })
        .setProtectedHeader({ alg: 'HS256' })
        .sign(new TextEncoder().encode(SECRET)),
    start,
    serve: async (env, command = 'serve') => {
      const process = start(command, env);
      return { process, port: await portOf(process, 'API server') };
    },
  };
}

/** Waits until a server of the program listens on a port of 127.0.0.1, and gives it. */
export async function portOf(process: Process, server: string): Promise<number> {
  const pattern = new RegExp(`${server} listening on 127\\.0\\.0\\.1:(\\d+)\n`);
  await says(process, pattern);
  return Number(pattern.exec(process.said())?.[1]);
}

/** Waits until a condition holds. Throws what the process said when it ends first. */
export async function until(process: Process, holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) {
    if (process.child.exitCode !== null) throw new Error(`ended too early: ${process.said()}`);
    await sleep(20);
  }
}

/** The lines that a program has written to the access log about paths with this in them. */
export async function accessLines(process: Process, part: string, count: number): Promise<readonly string[]> {
  const lines = (): string[] =>
    process
      .out()
      .split('\n')
      .filter((line) => line.includes(part));
  await until(process, () => lines().length >= count);
  return lines();
}

/** A configuration file with these lines. */
export async function configFile(path: string, values: Readonly<Record<string, string>>): Promise<void> {
  const lines = Object.entries(values).map(([name, value]) => `${name} = ${JSON.stringify(value)}\n`);
  await writeFile(path, lines.join(''));
}
