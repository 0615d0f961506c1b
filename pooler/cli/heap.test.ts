import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const run = promisify(execFile);
const heap = new URL('./heap.ts', import.meta.url).href;

/** Makes objects that live for a while, few and then many at a time, and prints the most megabytes that V8 has kept for new ones. */
const program = `
  import { setTimeout as sleep } from 'node:timers/promises';
  import { getHeapSpaceStatistics } from 'node:v8';
  import { boundGarbage } from ${JSON.stringify(heap)};
  boundGarbage();
  const kept = [];
  let most = 0;
  for (let i = 0; i < 60; i++) {
    await sleep(25);
    kept[i % 10] = Array.from({ length: 4_000 * i }, (_, n) => ({ n, text: [n] }));
    most = Math.max(most, getHeapSpaceStatistics().find(({ space_name }) => space_name === 'new_space').space_size / 1024 / 1024);
  }
  console.log(most);`;

/** Megabytes. */
async function youngWith(...options: readonly string[]): Promise<number> {
  const args = [...options, '--input-type=module', '--eval', program];
  const { stdout } = await run(process.execPath, args, { env: { ...process.env, NODE_OPTIONS: '' } });
  return Number(stdout);
}

test('new objects get no more room than they need, unless somebody has decided otherwise', async () => {
  const [told, bounded] = [await youngWith('--max-semi-space-size=64'), await youngWith()];
  expect(told).toBeGreaterThan(32);
  expect(bounded).toBeLessThanOrEqual(32);
});
