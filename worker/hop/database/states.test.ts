import { createServer } from 'node:http';
import { expect, test } from 'vitest';
import { listening } from '../../../test/listening.ts';
import { NeonDriver } from './neon.ts';
import { DatabaseStates } from './states.ts';

test('a database that says nothing is waited for no longer than the caller does', async () => {
  const gaveUp = new AbortController();
  const server = createServer(() => gaveUp.abort());
  const endpoint = `http://127.0.0.1:${await listening(server)}/sql`;
  try {
    const reported: unknown[] = [];
    const dbUri = 'postgresql://user:password@localhost/database';
    const states = new DatabaseStates(new NeonDriver({ dbUri, endpoint }), {}, (error) => reported.push(error));
    const message = 'The database did not answer in time.';
    expect(await states.fetchState([], gaveUp.signal)).toEqual({ kind: 'failed', message, refusal: null });
    expect(reported).toEqual([expect.objectContaining({ message })]);
  } finally {
    server.closeAllConnections();
    server.close();
  }
});
