/** The programs in front of a database for writing, with one connection or a few, and a proxy that counts between them where wanted. */
import { SignJWT } from 'jose';
import { startProgram } from '../edge/program.ts';
import { createDatabase, type TestDatabase, uniqueName } from '../postgres.ts';

/** `serve`: both halves in one process. `edge`: the pooler, and the worker in workerd. */
export const modes = ['serve', 'edge'] as const;
export type Mode = (typeof modes)[number];

const jwtSecret = 'a secret for the tokens of these tests';
const password = 'the login role of these tests';

export interface WriteDatabase extends TestDatabase {
  /** The anonymous role, and one that a token names. */
  readonly anon: string;
  readonly writer: string;
  /** The login role's connection string. */
  readonly loginUri: string;
}

/** The schema `api` by a script, which may use ANON and WRITER for the roles; both may do everything in it. */
export async function createWriteDatabase(script: string): Promise<WriteDatabase> {
  const [login, anon, writer] = ['login', 'anon', 'writer'].map((name) => uniqueName(`writes_${name}`));
  if (login === undefined || anon === undefined || writer === undefined) throw new Error('no names');
  const named = script.replaceAll('ANON', anon).replaceAll('WRITER', writer);
  const database = await createDatabase(
    'writes',
    `create role ${anon}; create role ${writer}; create role ${login} login noinherit password '${password}' in role ${anon}, ${writer};
     create schema api; grant usage on schema api to ${anon}, ${writer};
     alter default privileges in schema api grant all on tables to ${anon}, ${writer};
     alter default privileges in schema api grant all on sequences to ${anon}, ${writer};
     ${named}`,
  );
  return {
    ...database,
    anon,
    writer,
    loginUri: database.uriAs(login, password),
    drop: async () => {
      await database.sql.unsafe(`drop owned by ${anon}, ${writer}, ${login}`).simple();
      await database.sql.unsafe(`drop role ${login}, ${anon}, ${writer}`).simple();
      await database.drop();
    },
  };
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

export interface Ask {
  readonly token?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as it is, or as JSON where it is an object; JSON is its type unless the headers name another. */
  readonly body?: string | Uint8Array<ArrayBuffer> | object;
}

export interface Api {
  readonly pid: number;
  readonly url: string;
  readonly port: number;
  ask(method: string, target: string, ask?: Ask): Promise<Answer>;
  said(): string;
  stop(): Promise<number | null>;
}

/** Starts a program in front of the database. `variables` come on top; `at` is another port to reach the database on. */
export async function startApi(
  mode: Mode,
  database: Pick<WriteDatabase, 'loginUri' | 'anon'>,
  variables: Readonly<Record<string, string>> = {},
  at?: number,
): Promise<Api> {
  const uri = new URL(database.loginUri);
  if (at !== undefined) uri.port = String(at);
  const program = await startProgram(mode, {
    PGRST_DB_URI: uri.href,
    PGRST_DB_SCHEMAS: 'api',
    PGRST_DB_ANON_ROLE: database.anon,
    PGRST_DB_POOL: '1',
    PGRST_JWT_SECRET: jwtSecret,
    ...variables,
  });
  return {
    pid: program.pid,
    url: program.url,
    port: Number(new URL(program.url).port),
    ask: (method, target, ask) => request(program.url, method, target, ask),
    said: () => program.said(),
    stop: () => program.stop(),
  };
}

function bodyOf(body: Ask['body']): string | Uint8Array<ArrayBuffer> | null {
  if (body === undefined) return null;
  if (typeof body === 'string') return body;
  return body instanceof Uint8Array ? new Uint8Array(body) : JSON.stringify(body);
}

async function request(url: string, method: string, target: string, ask: Ask = {}): Promise<Answer> {
  const headers = new Headers(ask.headers);
  if (ask.token !== undefined) headers.set('Authorization', `Bearer ${ask.token}`);
  const body = bodyOf(ask.body);
  if (body !== null && !headers.has('Content-Type')) headers.set('Content-Type', 'application/json');
  const response = await fetch(url + target, { method, headers, body });
  return { status: response.status, headers: response.headers, text: await response.text() };
}

/** A token with these claims. */
export const sign = (claims: Readonly<Record<string, unknown>>): Promise<string> =>
  new SignJWT(claims).setProtectedHeader({ alg: 'HS256' }).sign(new TextEncoder().encode(jwtSecret));

/** A token whose claims are this JSON, digit for digit. */
export async function signText(claims: string): Promise<string> {
  const encode = (bytes: string | ArrayBuffer): string =>
    (typeof bytes === 'string' ? Buffer.from(bytes) : Buffer.from(bytes)).toString('base64url');
  const content = `${encode('{"alg":"HS256"}')}.${encode(claims)}`;
  const algorithm = { name: 'HMAC', hash: 'SHA-256' };
  const key = await crypto.subtle.importKey('raw', Buffer.from(jwtSecret), algorithm, false, ['sign']);
  return `${content}.${encode(await crypto.subtle.sign('HMAC', key, Buffer.from(content)))}`;
}
