/** Clients that write and read without a pause, and remember everything that they were answered. */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';

export interface Reply {
  readonly status: number;
  readonly text: string;
}

/** Sends a request and gives its answer; rejects when there is none. Nothing is sent twice. */
export type Send = (method: 'GET' | 'POST', path: string, body?: string) => Promise<Reply>;

export interface Load {
  /** Requests answered so far. */
  answers(): number;
  /** Waits for that many more answers. */
  more(count: number): Promise<void>;
  /** Ends it. `written` are the texts whose writing was confirmed, `failures` what was not as it should be. */
  stop(): Promise<{ readonly written: readonly string[]; readonly failures: readonly string[] }>;
}

/** Starts a client for each way of sending. It writes a nonce and reads it back, again and again. */
export function startLoad(ways: readonly Send[]): Load {
  const written: string[] = [];
  const failures: string[] = [];
  let answered = 0;
  let stopping = false;

  const step = async (send: Send): Promise<void> => {
    const nonce = randomUUID();
    const expected = async (work: Promise<Reply>, status: number, text: string): Promise<boolean> => {
      try {
        const reply = await work;
        answered++;
        if (reply.status === status && reply.text === text) return true;
        failures.push(`${reply.status} ${reply.text}`);
      } catch (error) {
        failures.push(String(error));
      }
      return false;
    };
    if (await expected(send('POST', '/entry', JSON.stringify({ nonce })), 201, '')) written.push(nonce);
    await expected(send('GET', `/entry?select=nonce&nonce=eq.${nonce}`), 200, `[{"nonce":"${nonce}"}]`);
  };
  const client = async (send: Send): Promise<void> => {
    while (!stopping) await step(send);
  };
  const running = ways.map(client);
  return {
    answers: () => answered,
    more: async (count) => {
      const until = answered + count;
      while (answered < until && failures.length === 0) await sleep(10);
    },
    stop: async () => {
      stopping = true;
      await Promise.all(running);
      return { written, failures };
    },
  };
}
