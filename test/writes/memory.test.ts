/** A large insert passes through the worker: what it grows by does not depend on the body. Measured in workerd, on Linux. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Api, createWriteDatabase, startApi, type WriteDatabase } from './api.ts';

const MB = 1024 * 1024;
/** The long form takes more from the environment. */
const size = Number(process.env.EDGEREST_WRITE_MEGABYTES ?? 48);

let database: WriteDatabase;
let api: Api;
beforeAll(async () => {
  database = await createWriteDatabase('create table api.thing (name text, note int);');
  const limit = String(2 * size * MB);
  api = await startApi('edge', database, { EDGEREST_MAX_BODY_SIZE: limit, PGRST_DB_TX_END: 'commit-allow-override' });
});
afterAll(async () => {
  await api?.stop();
  await database?.drop();
});

/** The process that a process started, directly or not, under this name. */
function descendant(pid: number, name: string): number | null {
  for (const child of readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
    .split(' ')
    .filter(Boolean)
    .map(Number)) {
    if (readFileSync(`/proc/${child}/comm`, 'utf8').trim() === name) return child;
    const below = descendant(child, name);
    if (below !== null) return below;
  }
  return null;
}

/** The most memory that a process had resident since the last look, in bytes. */
function peak(pid: number): number {
  const kilobytes = /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  // proc(5): 5 resets the peak to what there is now.
  writeFileSync(`/proc/${pid}/clear_refs`, '5');
  return Number(kilobytes) * 1024;
}

const row = `{"name":"${'x'.repeat(10_000)}","note":1}`;
const insert = async (megabytes: number): Promise<void> => {
  const body = `[${Array.from({ length: Math.round((megabytes * MB) / row.length) }, () => row).join(',')}]`;
  const answer = await api.ask('POST', '/thing', { body, headers: { prefer: 'tx=rollback, count=exact' } });
  expect(answer).toMatchObject({ status: 201, text: '' });
};

test.runIf(existsSync('/proc/self/clear_refs'))(
  'the worker grows by its streams, the pooler by the body once',
  async () => {
    const worker = descendant(api.pid, 'workerd');
    if (worker === null) throw new Error('there is no workerd');
    // Up to a size of its own the engine lets garbage lie.
    await insert(size / 2);
    const before = { worker: peak(worker), pooler: peak(api.pid) };
    await insert(size);
    const grown = { worker: (peak(worker) - before.worker) / MB, pooler: (peak(api.pid) - before.pooler) / MB };
    expect(grown.worker).toBeLessThan(size / 2);
    expect(grown.pooler).toBeLessThan(size * 1.5);
  },
  120_000,
);
