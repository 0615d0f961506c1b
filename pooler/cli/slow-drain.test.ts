import { expect, test } from 'vitest';
import type { Observation } from '../observation.ts';
import { Pool } from '../pool/index.ts';
import { watchDrain } from './slow-drain.ts';

test('it says what is still under way', async () => {
  const pool = new Pool({ size: 1, connect: () => new Promise(() => undefined), acquisitionTimeout: 60_000 });
  const waiting = pool.run({ statements: [], reset: false });
  const said = await new Promise<Observation>((resolve) => watchDrain(() => ({ pool }), resolve, 10));
  expect(said).toMatchObject({ kind: 'draining', busy: 0, waiting: 1 });
  void pool.drain(0);
  await expect(waiting).rejects.toMatchObject({ code: 'closed' });
});
