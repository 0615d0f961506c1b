/** How soon a connection is free for the next one after the server has answered to a cancellation. */
import { Pool } from '../../pooler/pool/index.ts';
import { connect, type Flight, parseConnectionString } from '../../pooler/wire/index.ts';
import { median } from './closed-loop.ts';

const ROUNDS = 100;
/** Milliseconds until the client goes away, or the deadline passes. */
const AFTER = 20;

const sleeping: Flight = {
  statements: [{ text: 'select pg_sleep(60)', parameters: [], prepare: 'named', result: 'row' }],
  reset: true,
};

async function measure(uri: string, cancelled: () => Partial<Flight>): Promise<readonly number[]> {
  const config = parseConnectionString(uri, {});
  const pool = new Pool({ size: 1, acquisitionTimeout: 60_000, connect: () => connect(config) });
  const took: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const answered = pool.run({ ...sleeping, ...cancelled() }).then(() => performance.now());
    // The next one waits in the queue.
    const next = pool.acquire();
    const began = await answered;
    const lease = await next;
    took.push(performance.now() - began);
    lease.release();
  }
  await pool.drain();
  return took;
}

const line = (what: string, took: readonly number[]): string => {
  const within = took.filter((each) => each <= 100).length;
  return `  ${what}  half within ${median(took).toFixed(1)} ms, all within ${Math.max(...took).toFixed(1)} ms (${within} of ${took.length} within 100 ms)`;
};

/** The time from the server's answer until the connection is given to the next one, of clients that leave and of deadlines that pass. */
export async function measureCancel(uri: string): Promise<string> {
  const left = await measure(uri, () => ({ signal: AbortSignal.timeout(AFTER) }));
  const late = await measure(uri, () => ({ deadline: Date.now() + AFTER }));
  return [
    'cancel: a statement of a minute, cancelled; the connection is free after the server’s answer',
    line('client gone    ', left),
    line('deadline passed', late),
    '',
  ].join('\n');
}
