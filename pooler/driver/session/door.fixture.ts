/** The driver's door for WebSockets, on a database of a test's own, and the unmodified driver before it. */
import { createServer } from 'node:http';
import type { Duplex } from 'node:stream';
import { Client, type ClientConfig, Pool as NeonPool, neonConfig } from '@neondatabase/serverless';
import WebSocket from 'ws';
import { listening } from '../../../test/listening.ts';
import { createDatabase, type TestDatabase, uniqueName } from '../../../test/postgres.ts';
import { Pool } from '../../pool/index.ts';
import { connect, parseConnectionString } from '../../wire/index.ts';
import { Changes } from '../changes.ts';
import { Logins } from '../logins.ts';
import { DriverSockets, type DriverSocketsOptions } from '../sockets.ts';
import { Targets } from '../targets.ts';

export interface DoorOptions extends Partial<Omit<DriverSocketsOptions, 'pool' | 'logins' | 'onFault'>> {
  /** The pool's bound; 4 unless told otherwise. */
  readonly size?: number;
  /** Milliseconds that the pool lets somebody wait; 20,000 unless told otherwise. */
  readonly acquisitionTimeout?: number;
  /** EDGEREST_DRIVER_TARGETS. */
  readonly targets?: readonly string[];
  /** Run by the superuser before anybody logs in. `USER` stands for the role's name. */
  readonly script?: string;
}

export interface Door {
  readonly database: TestDatabase;
  readonly pool: Pool;
  readonly sockets: DriverSockets;
  /** The door's own port on 127.0.0.1. */
  readonly port: number;
  readonly user: string;
  readonly password: string;
  /** The user's connection string, as an application has it. */
  readonly uri: string;
  /** Mistakes of ours. */
  readonly faults: unknown[];
  /** A client that has connected. */
  client(config?: ClientConfig): Promise<Client>;
  /** The driver's own pool. */
  clients(max: number): NeonPool;
  /** Runs one query on a client of its own. */
  query(text: string, values?: readonly unknown[]): Promise<readonly Record<string, unknown>[]>;
  /** Resolves when no server connection is held and nobody waits. */
  quiet(): Promise<void>;
  /** Cuts off who is still there, and resolves when it is quiet: what a failed attempt of a test has left does not disturb the next. */
  cut(): Promise<void>;
  close(): Promise<void>;
}

neonConfig.webSocketConstructor = WebSocket;
neonConfig.useSecureWebSocket = false;

/** Points the driver's pools at a door. */
export function pointDriver(port: number): void {
  neonConfig.wsProxy = () => `127.0.0.1:${port}/v2`;
}

export async function openDoor(options: DoorOptions = {}): Promise<Door> {
  const { size = 4, targets = [], script = '', acquisitionTimeout = 20_000, ...rest } = options;
  const user = uniqueName('visitor');
  const password = 'p:a/ss wörd';
  const database = await createDatabase(
    'driver',
    `create role ${user} login password '${password}';
     create schema app authorization ${user};
     alter role ${user} set search_path = app, public;
     ${script.replaceAll('USER', user)}`,
  );
  const connection = parseConnectionString(database.uri);
  const pool = new Pool({ size, connect: () => connect(connection), acquisitionTimeout });
  const logins = new Logins({
    pool,
    size,
    targets: new Targets(connection, targets, []),
    connection,
    onRefused: () => undefined,
  });
  const faults: unknown[] = [];
  const sockets = new DriverSockets({
    changes: new Changes(),
    networkOf: () => '',
    addressed: targets.length > 0,
    maxSockets: 1000,
    maxPinned: Math.max(1, size - 2),
    maxBuffered: 256 * 1024 * 1024,
    idleTransaction: 60_000,
    checkReads: () => false,
    maxMessage: 64 * 1024 * 1024,
    ...rest,
    pool,
    logins,
    onFault: (error) => faults.push(error),
  });
  const server = createServer((_, response) => response.end());
  const open = new Set<Duplex>();
  server.on('upgrade', (request, socket, head) => {
    open.add(socket);
    socket.once('close', () => open.delete(socket));
    sockets.upgrade(request, socket, head);
  });
  const port = await listening(server);
  const uri = database.uriAs(user, password);
  const client = async (config: ClientConfig = {}): Promise<Client> => {
    const made = new Client({ connectionString: uri, ...config });
    made.neonConfig.wsProxy = () => `127.0.0.1:${port}/v2`;
    made.on('error', () => undefined);
    await made.connect();
    return made;
  };
  const metrics = () => pool.metrics();
  const quiet = async (): Promise<void> => {
    while (metrics().busy > 0 || metrics().waiting > 0 || metrics().resetting > 0) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };
  return {
    database,
    pool,
    sockets,
    port,
    user,
    password,
    uri,
    faults,
    client,
    clients: (max) => {
      pointDriver(port);
      const made = new NeonPool({ connectionString: uri, max });
      made.on('error', () => undefined);
      return made;
    },
    query: async (text, values = []) => {
      const one = await client();
      try {
        return (await one.query(text, [...values])).rows;
      } finally {
        await one.end();
      }
    },
    quiet,
    cut: async () => {
      for (const socket of open) socket.destroy();
      await quiet();
    },
    close: async () => {
      await sockets.close(0);
      server.close();
      await pool.drain(1000);
      await database.sql.unsafe(`drop owned by ${user} cascade; drop role ${user}`).simple();
      await database.drop();
    },
  };
}
