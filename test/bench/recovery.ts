/** How soon requests succeed again when the database returns, and how fast they fail while it is away. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Pool } from '../../pooler/pool/index.ts';
import { connect, type Flight, parseConnectionString } from '../../pooler/wire/index.ts';
import { freePort, startCluster, throwAwaySettings } from '../cluster.ts';
import { median } from './closed-loop.ts';

const CLIENTS = 50;
const SIZE = 8;
/** Milliseconds that the database is away: long enough for the attempts to come as seldom as they ever do. */
const AWAY = 5000;

const one: Flight = {
  statements: [{ text: 'select 1', parameters: [], prepare: 'named', result: 'row' }],
  reset: false,
};

export async function measureRecovery(rounds: number): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'edgerest-recovery-'));
  const options = { dataDir: join(folder, 'data'), port: await freePort(), settings: throwAwaySettings };
  let cluster = await startCluster(options);
  const config = parseConnectionString(cluster.superuserUri(), {});
  const pool = new Pool({ size: SIZE, acquisitionTimeout: 60_000, connect: () => connect(config) });
  let going = true;
  let succeeded = 0;
  const failures: number[] = [];
  const clients = Array.from({ length: CLIENTS }, async () => {
    while (going) {
      const began = performance.now();
      await pool.run(one).then(
        () => {
          succeeded++;
        },
        () => failures.push(performance.now() - began),
      );
      await sleep(10);
    }
  });
  const recoveries: number[] = [];
  for (let round = 0; round < rounds; round++) {
    await sleep(500);
    await cluster.stop();
    await sleep(AWAY);
    cluster = await startCluster(options);
    const back = performance.now();
    const before = succeeded;
    while (succeeded < before + CLIENTS) await sleep(1);
    recoveries.push(performance.now() - back);
  }
  going = false;
  await Promise.all(clients);
  await pool.drain();
  await cluster.stop();
  for (const each of [folder, cluster.dataDir]) await rm(each, { recursive: true, force: true });
  failures.sort((a, b) => a - b);
  const p99 = failures[Math.floor(failures.length * 0.99)] ?? 0;
  return [
    `recovery: ${CLIENTS} clients, ${SIZE} connections, the database away for ${AWAY / 1000} seconds, ${rounds} times`,
    `  served again after its return   ${median(recoveries).toFixed(0)} ms, at most ${Math.max(...recoveries).toFixed(0)} ms`,
    `  refused meanwhile within        ${median(failures).toFixed(2)} ms, 99 of 100 within ${p99.toFixed(2)} ms`,
    '',
  ].join('\n');
}
