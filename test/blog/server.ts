/** The real programs, started as a user starts them, with the blog behind them. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { SignJWT } from 'jose';
import { afterAll, beforeAll, describe } from 'vitest';
import type { Blog } from '../../examples/blog/load.ts';
import { freePort } from '../cluster.ts';
import { uniqueName } from '../postgres.ts';
import { type SharedBlog, sharedBlog } from './database.ts';

/** `serve`: both halves in one Node process. `edge`: the pooler in Node, the worker in workerd. */
export const modes = ['serve', 'edge'] as const;
export type Mode = (typeof modes)[number];

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The body as JSON; undefined when it is none. */
  readonly json: unknown;
}

export interface Ask {
  readonly token?: string;
  /** Sent as JSON, unless it is text: that is sent as it is, with the media type of JSON. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Server {
  readonly url: string;
  ask(method: string, target: string, ask?: Ask): Promise<Answer>;
  /** What the program wrote to standard error so far. */
  said(): string;
  /** Asks the program to end, waits for it, and returns its exit code. */
  stop(): Promise<number | null>;
}

const main = fileURLToPath(new URL('../../pooler/cli/main.ts', import.meta.url));

/**
 * Starts `edgerest <mode>` on a free port of 127.0.0.1, with these variables and none of the caller's PGRST_* and EDGEREST_*,
 * and waits until it answers with anything but `until`'s exception: by default 503, which means that it is not ready.
 * Throws what it said when it ends instead.
 */
export async function startServer(
  mode: Mode,
  variables: Readonly<Record<string, string>>,
  notReady: readonly number[] = [503],
): Promise<Server> {
  const port = await freePort();
  const inherited = Object.entries(process.env).filter(([name]) => !/^(PGRST|EDGEREST)_/.test(name));
  const child = spawn(process.execPath, [main, mode], {
    env: {
      ...Object.fromEntries(inherited),
      PGRST_SERVER_HOST: '127.0.0.1',
      PGRST_SERVER_PORT: String(port),
      ...variables,
    },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    said += chunk;
  });
  const exited = once(child, 'close').then(([code]: (number | null)[]) => code ?? null);
  const url = `http://127.0.0.1:${port}`;
  const server: Server = {
    url,
    ask: (method, target, ask) => request(url, method, target, ask),
    said: () => said,
    stop: () => {
      child.kill('SIGTERM');
      return exited;
    },
  };
  for (;;) {
    const status = await server.ask('GET', '/user?limit=0').then(
      (answer) => answer.status,
      () => undefined,
    );
    if (status !== undefined && !notReady.includes(status)) return server;
    if (child.exitCode !== null || child.signalCode !== null) throw new Error(`edgerest ${mode} ended: ${said}`);
    await sleep(50);
  }
}

async function request(url: string, method: string, target: string, ask: Ask = {}): Promise<Answer> {
  const headers = new Headers(ask.headers);
  if (ask.token !== undefined) headers.set('Authorization', `Bearer ${ask.token}`);
  const body = ask.body === undefined || typeof ask.body === 'string' ? ask.body : JSON.stringify(ask.body);
  if (body !== undefined && !headers.has('Content-Type')) headers.set('Content-Type', 'application/json');
  const response = await fetch(url + target, { method, headers, body: body ?? null });
  const text = await response.text();
  return { status: response.status, headers: response.headers, text, json: parse(text) };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** PGRST_* variables that put the blog behind a program. */
export function blogVariables(blog: Blog): Record<string, string> {
  return {
    PGRST_DB_URI: blog.loginUri,
    PGRST_DB_SCHEMAS: 'api',
    PGRST_DB_ANON_ROLE: 'anon',
    PGRST_DB_POOL: '4',
    PGRST_JWT_SECRET: blog.jwtSecret,
  };
}

export interface BlogApi {
  readonly ask: Server['ask'];
  blog(): SharedBlog;
  /** A token with these claims, signed with the blog's secret or another one. */
  sign(claims: Readonly<Record<string, unknown>>, secret?: string): Promise<string>;
  /** Signs a new user up and logs in, through the API. */
  newUser(name: string): Promise<{ id: number; email: string; password: string; token: string }>;
}

/** Describes the suite once per mode, each with a program of its own in front of the shared blog. */
export function inEachMode(suite: (api: BlogApi) => void): void {
  describe.each(modes)('%s', (mode) => {
    let blog: SharedBlog | undefined;
    let server: Server | undefined;

    beforeAll(async () => {
      blog = await sharedBlog();
      server = await startServer(mode, blogVariables(blog));
    });
    afterAll(() => server?.stop());

    const started = <T>(thing: T | undefined): T => {
      if (thing === undefined) throw new Error('the program has not been started');
      return thing;
    };
    const ask: Server['ask'] = (...request) => started(server).ask(...request);
    suite({
      ask,
      blog: () => started(blog),
      sign: (claims, secret = started(blog).jwtSecret) =>
        new SignJWT(claims).setProtectedHeader({ alg: 'HS256' }).sign(new TextEncoder().encode(secret)),
      newUser: async (name) => {
        const email = `${uniqueName(name)}@example.com`;
        const password = `the password of ${name}`;
        const user = await ask('POST', '/rpc/signup', { body: { email, password, name } });
        const login = await ask('POST', '/rpc/login', { body: { email, password } });
        const id: unknown = Reflect.get(Object(user.json), 'id');
        if (typeof id !== 'number' || typeof login.json !== 'string') {
          throw new Error(`signing up failed: ${user.text} ${login.text}`);
        }
        return { id, email, password, token: login.json };
      },
    });
  });
}
