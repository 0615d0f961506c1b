/** What a key with few requests notices of another that has a hundred times as many. */

import type { AdmissionQueue } from '../../pooler/pool/index.ts';
import { FifoQueue, Pool, TurnQueue, type Waiter } from '../../pooler/pool/index.ts';
import { connect, type Flight, parseConnectionString } from '../../pooler/wire/index.ts';
import { closedLoop, median, type Sample } from './closed-loop.ts';

const SIZE = 8;
/** As many as there are connections would not have to wait for each other. */
const QUIET = 2;
const NOISY = 200;

const nap: Flight = {
  statements: [{ text: 'select pg_sleep(0.005)', parameters: [], prepare: 'named', result: 'row' }],
  reset: false,
};

async function measure(
  uri: string,
  queue: () => AdmissionQueue<Waiter>,
  noisy: number,
  seconds: number,
): Promise<Sample> {
  const config = parseConnectionString(uri, {});
  const pool = new Pool({ size: SIZE, acquisitionTimeout: 60_000, queue, connect: () => connect(config) });
  const ask = (key: string) => () => pool.run(nap, { key });
  let going = true;
  const others = Array.from({ length: noisy }, async () => {
    while (going) await ask('noisy')();
  });
  const sample = await closedLoop(
    Array.from({ length: QUIET }, () => ask('quiet')),
    seconds,
  );
  going = false;
  await Promise.all(others);
  await pool.drain();
  return sample;
}

/** The quiet key's 99th percentile beside the noisy one, as a multiple of what it has alone: in turn, and first come, first served. */
export async function measureFairness(uri: string, rounds: number, seconds: number): Promise<string> {
  const turns: number[] = [];
  const fifo: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const alone = await measure(uri, () => new TurnQueue(), 0, seconds);
    const beside = await measure(uri, () => new TurnQueue(), NOISY, seconds);
    const behind = await measure(uri, () => new FifoQueue(), NOISY, seconds);
    turns.push(beside.p99 / alone.p99);
    fifo.push(behind.p99 / alone.p99);
  }
  return [
    `fairness: ${QUIET} clients of one key beside ${NOISY} of another, ${SIZE} connections, statements of 5 ms`,
    `  in turn                   p99 × ${median(turns).toFixed(2)} of what it is alone`,
    `  first come, first served  p99 × ${median(fifo).toFixed(2)}`,
    '',
  ].join('\n');
}
