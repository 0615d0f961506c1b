/** Several nodes on one database behind one address, under load: a reload and a restart of each lose and repeat nothing. */
import { Agent, request } from 'node:http';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { edgerest, killAll, type Process } from '../../pooler/cli/program.fixture.ts';
import { createEdgerest } from '../../worker/edgerest.ts';
import { portOf, until } from '../operating/program.ts';
import { createDatabase, type TestDatabase, uniqueName } from '../postgres.ts';
import { type Balancer, balance } from './balancer.ts';
import { type Send, startLoad } from './load.ts';

const SECRET = 'reallyreallyreallyreallyverysafe';
const login = uniqueName('nodes_login');
const anon = uniqueName('nodes_anon');

let database: TestDatabase;
let balancer: Balancer | undefined;
beforeAll(async () => {
  database = await createDatabase(
    'nodes',
    `create role ${login} login noinherit password 'the-password'; create role ${anon}; grant ${anon} to ${login};
     create table entry (nonce text); grant select, insert on entry to ${anon};`,
  );
});
afterEach(() => {
  killAll();
  balancer?.close();
});
afterAll(async () => {
  await database.sql.unsafe(`drop owned by ${anon}; drop role ${login}, ${anon}`).simple();
  await database.drop();
});

type Kind = 'serve' | 'pooler';
const SERVER = { serve: 'API server', pooler: 'Pooler' } as const;

async function startNode(kind: Kind, port = 0): Promise<{ readonly process: Process; readonly port: number }> {
  const process = edgerest([kind], {
    PGRST_DB_URI: database.uriAs(login, 'the-password'),
    PGRST_DB_ANON_ROLE: anon,
    PGRST_DB_POOL: '2',
    PGRST_SERVER_HOST: '127.0.0.1',
    PGRST_SERVER_PORT: String(port),
    EDGEREST_POOLER_PORT: String(port),
    EDGEREST_POOLER_SECRET: SECRET,
  });
  return { process, port: await portOf(process, SERVER[kind]) };
}

/** Over node:http, on a connection that is left after so many requests. For one client, which waits for each answer. */
function direct(port: number, requests: number): Send {
  let agent = new Agent({ keepAlive: true });
  let sentBefore = 0;
  const headers = { 'Content-Type': 'application/json', Prefer: 'return=minimal' };
  return (method, path, body) => {
    if (sentBefore++ % requests === 0) {
      agent.destroy();
      agent = new Agent({ keepAlive: true });
    }
    return new Promise((resolve, reject) => {
      const sent = request({ host: '127.0.0.1', port, path, method, agent, headers }, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk: string) => {
          text += chunk;
        });
        response.on('end', () => resolve({ status: response.statusCode ?? 0, text })).on('error', reject);
      });
      sent.on('error', reject).end(body);
    });
  };
}

/** Through a worker whose pooler is there. */
function throughWorker(port: number): Send {
  const worker = createEdgerest({ url: `http://127.0.0.1:${port}`, secret: SECRET });
  const headers = { 'Content-Type': 'application/json', Prefer: 'return=minimal' };
  return async (method, path, body) => {
    const asked = new Request(`http://api.example.com${path}`, {
      method,
      headers,
      ...(body === undefined ? {} : { body }),
    });
    const response = await worker(asked);
    return { status: response.status, text: await response.text() };
  };
}

/**
 * The clients. Few connections are made in a second: one that the system makes in the instant in which a node stops to
 * listen is reset, whatever the node does.
 */
const clientsOf: Readonly<Record<Kind, (port: number) => readonly Send[]>> = {
  serve: (port) => [1000, 1000, 1000, 1000, 50, 50].map((requests) => direct(port, requests)),
  pooler: (port) => Array.from({ length: 4 }, () => throughWorker(port)),
};

/** Every confirmed write is there once, and nothing else. */
async function checkWritten(written: readonly string[]): Promise<void> {
  const rows = await database.sql`select nonce from entry`;
  expect(rows.map(({ nonce }) => nonce).toSorted()).toEqual(written.toSorted());
}

test.each(['serve', 'pooler'] as const)(
  'two of %s: a reload of both, then a restart of each',
  { timeout: 120_000 },
  async (kind) => {
    await database.sql`delete from entry`;
    const nodes = [await startNode(kind), await startNode(kind)];
    balancer = await balance(nodes.map(({ port }) => port));
    const load = startLoad(clientsOf[kind](balancer.port));
    await load.more(100);

    await database.sql.unsafe(`create or replace view ${uniqueName('seen')} as select 1 as one; notify pgrst`).simple();
    for (const { process } of nodes) {
      await until(process, () => process.said().split('Schema cache loaded').length > 2);
    }
    await load.more(100);

    for (const [index, { process, port }] of nodes.entries()) {
      process.child.kill('SIGTERM');
      expect(await process.exited).toBe(0);
      await load.more(50);
      await startNode(kind, port);
      const before = balancer.given[index];
      // Who keeps connections has them at the other node: somebody new has to come.
      while (balancer.given[index] === before) await direct(balancer.port, 1)('GET', '/');
      await load.more(50);
    }
    const { written, failures } = await load.stop();
    expect(failures).toEqual([]);
    expect(written.length).toBeGreaterThan(150);
    await checkWritten(written);
  },
);
