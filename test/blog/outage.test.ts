/** The database is away when the program starts, and goes away while it runs: clear answers, and no restart needed. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Blog, createBlogDatabase, loadBlog } from '../../examples/blog/load.ts';
import { type Cluster, freePort, startCluster, throwAwaySettings } from '../cluster.ts';
import { type Answer, blogVariables, modes, type Server, startServer } from './server.ts';

let dataDir: string;
let port: number;
let blog: Blog;
let cluster: Cluster;

const up = async () => {
  cluster = await startCluster({ dataDir, port, settings: throwAwaySettings });
};

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'edgerest-outage-'));
  port = await freePort();
  await up();
  await createBlogDatabase(cluster.superuserUri(), 'blog');
  blog = await loadBlog(cluster.superuserUri('blog'), 'the login role of tests');
  await cluster.stop();
});

afterAll(async () => {
  await cluster.stop();
  await rm(dataDir, { recursive: true, force: true });
});

/** Asks until the answer has this status; everything before must have one of the others. */
async function until(server: Server, status: number, before: readonly number[]): Promise<Answer> {
  for (;;) {
    const answer = await server.ask('GET', '/user?id=eq.1&select=name');
    if (answer.status === status) return answer;
    expect(before).toContain(answer.status);
    await sleep(50);
  }
}

test.each(modes)('%s outlives the database', { timeout: 120_000 }, async (mode) => {
  const server = await startServer(mode, blogVariables(blog), []);
  try {
    const atStart = await server.ask('GET', '/user');
    expect(atStart).toMatchObject({ status: 503, json: { code: expect.stringMatching(/^PGRST00[0-2]$/) } });

    await up();
    expect((await until(server, 200, [503])).json).toEqual([{ name: 'Ada' }]);

    await cluster.stop();
    const reads = await Promise.all(Array.from({ length: 20 }, () => server.ask('GET', '/user?limit=1')));
    const write = await server.ask('POST', '/user', { body: { name: 'Nobody' } });
    for (const answer of [...reads, write]) {
      expect(answer).toMatchObject({ status: 503, json: { code: expect.stringMatching(/^PGRST00[01]$|^57P0/) } });
      expect(answer.text).not.toMatch(/the login role of tests|postgres(ql)?:\/\//);
    }

    await up();
    expect((await until(server, 200, [503])).json).toEqual([{ name: 'Ada' }]);
    expect((await server.ask('GET', '/user?name=eq.Nobody')).json).toEqual([]);
    expect(server.said()).not.toContain('the login role of tests');
  } finally {
    await server.stop();
    await cluster.stop();
  }
});
