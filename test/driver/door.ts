/** The driver's door in front of a database of its own, for tests. */
import { afterAll, beforeAll } from 'vitest';
import { Changes } from '../../pooler/driver/changes.ts';
import { Logins } from '../../pooler/driver/logins.ts';
import { DriverServer } from '../../pooler/driver/server.ts';
import { SqlEndpoint } from '../../pooler/driver/sql.ts';
import { Targets } from '../../pooler/driver/targets.ts';
import { createPool, type Pool } from '../../pooler/pool/index.ts';
import { parseConnectionString } from '../../pooler/wire/index.ts';
import { listening } from '../listening.ts';
import { createDatabase, type TestDatabase, uniqueName } from '../postgres.ts';

export interface DoorOptions {
  /** Run in the new database as the user, who owns the schema public. */
  readonly script?: string;
  /** The pool's bound; 4 by default. */
  readonly size?: number;
  /** Milliseconds that may be waited for a connection; 5000 by default. */
  readonly acquisitionTimeout?: number;
  /** How many may wait; 1000 by default. */
  readonly queueLength?: number;
  readonly maxRequest?: number;
  readonly maxResponse?: number;
  /** Bytes that requests and answers may take together; 256 MB by default. */
  readonly maxBuffered?: number;
  readonly targets?: () => Promise<readonly string[]>;
  readonly databases?: readonly string[];
}

export interface Door {
  readonly database: TestDatabase;
  readonly pool: Pool;
  /** Who clients log in as. */
  readonly user: string;
  readonly password: string;
  /** Where it listens, on 127.0.0.1. */
  readonly port: number;
  /** `http://127.0.0.1:port/sql` */
  readonly url: string;
  /** What it was told of: statuses that were answered, logins that were refused, mistakes of ours. */
  readonly statuses: readonly number[];
  readonly refused: readonly string[];
  readonly faults: readonly unknown[];
  /** A connection string for clients, the user's unless told otherwise. */
  uri(parts?: UriParts): string;
  /** Asks as no driver would. `query` is the body, as JSON unless it is text. */
  ask(body: unknown, headers?: Readonly<Record<string, string>>): Promise<Answer>;
  /** Backends of the user in the database, as the superuser sees them. */
  backends(): Promise<readonly { readonly state: string; readonly query: string }[]>;
}

export interface UriParts {
  readonly user?: string;
  readonly password?: string;
  readonly host?: string;
  readonly database?: string;
  /** `?name=value` */
  readonly query?: string;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** Of JSON. */
  readonly json: Record<string, unknown>;
}

const PASSWORD = 'pä:ss/wörd @1';

/** A door for the tests of a file; it is closed and the database dropped at the end. */
export function door(prefix: string, options: DoorOptions = {}): Door {
  const user = uniqueName(`${prefix}_user`);
  let database: TestDatabase | undefined;
  let pool: Pool | undefined;
  let server: DriverServer | undefined;
  let port = 0;
  const statuses: number[] = [];
  const refused: string[] = [];
  const faults: unknown[] = [];

  beforeAll(async () => {
    database = await createDatabase(
      prefix,
      `create role ${user} login password '${PASSWORD}'; alter schema public owner to ${user};
       set role ${user}; ${options.script ?? ''}; reset role`,
    );
    const connection = parseConnectionString(database.uri, {});
    const {
      size = 4,
      acquisitionTimeout = 5000,
      queueLength = 1000,
      maxRequest = 64 * 1024 * 1024,
      maxResponse = 16 * 1024 * 1024,
      maxBuffered = 256 * 1024 * 1024,
    } = options;
    pool = createPool(connection, { size, acquisitionTimeout, queueLength });
    const targets = new Targets(connection, (await options.targets?.()) ?? [], options.databases ?? []);
    const logins = new Logins({ pool, size, targets, connection, onRefused: (_, reason) => refused.push(reason) });
    const sql = new SqlEndpoint({
      logins,
      changes: new Changes(),
      networkOf: ({ headers }) => String(headers['x-forwarded-for'] ?? ''),
      maxRequest,
      maxResponse,
      maxBuffered,
      alwaysResets: () => false,
      onAnswer: (status, error) => {
        statuses.push(status);
        if (error !== null) faults.push(error);
      },
    });
    server = new DriverServer({ sql, tls: null });
    port = await listening(server.server);
  });
  afterAll(async () => {
    await server?.close(1000);
    await pool?.drain(1000);
    if (database === undefined) return;
    // What a test has cut off may still run.
    await database.sql`select pg_terminate_backend(pid, 5000) from pg_stat_activity where usename = ${user}`;
    await database.sql.unsafe(`drop owned by ${user} cascade; drop role ${user}`).simple();
    await database.drop();
  });

  const made = <T>(thing: T | undefined): T => {
    if (thing === undefined) throw new Error('not made yet');
    return thing;
  };
  const uri: Door['uri'] = (parts = {}) => {
    const { password = PASSWORD, host = 'door.example.com', database: name = made(database).name, query = '' } = parts;
    const name_ = encodeURIComponent(parts.user ?? user);
    return `postgresql://${name_}:${encodeURIComponent(password)}@${host}/${encodeURIComponent(name)}${query}`;
  };
  return {
    get database() {
      return made(database);
    },
    get pool() {
      return made(pool);
    },
    user,
    password: PASSWORD,
    get port() {
      return port;
    },
    get url() {
      return `http://127.0.0.1:${port}/sql`;
    },
    statuses,
    refused,
    faults,
    uri,
    ask: async (body, headers = {}) => {
      const response = await fetch(`http://127.0.0.1:${port}/sql`, {
        method: 'POST',
        headers: { 'Neon-Connection-String': uri(), ...headers },
        body: typeof body === 'string' ? body : JSON.stringify(body),
      });
      const text = await response.text();
      return {
        status: response.status,
        headers: response.headers,
        text,
        get json() {
          return JSON.parse(text);
        },
      };
    },
    backends: () =>
      made(database).sql<{ state: string; query: string }[]>`
        select state, query from pg_stat_activity where usename = ${user} order by pid`,
  };
}
