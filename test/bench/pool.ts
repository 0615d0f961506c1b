/** `npm run bench:pool`: what the pool promises, measured. The figures stand in docs/pool.md and docs/reliability.md. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startCluster, throwAwaySettings } from '../cluster.ts';
import { measureAffinity } from './affinity.ts';
import { measureCancel } from './cancel.ts';
import { measureFairness } from './fairness.ts';
import { measureRecovery } from './recovery.ts';

const ROUNDS = 3;
const SECONDS = 3;

const benches = {
  fairness: (uri: string) => measureFairness(uri, ROUNDS, SECONDS),
  cancel: measureCancel,
  affinity: (uri: string) => measureAffinity(uri, 1, 2),
  recovery: () => measureRecovery(5),
} as const;

const isBench = (name: string): name is keyof typeof benches => name in benches;

const asked = process.argv.slice(2);
const unknown = asked.find((name) => !isBench(name));
if (unknown !== undefined) {
  process.stderr.write(`bench:pool knows ${Object.keys(benches).join(', ')}, not ${JSON.stringify(unknown)}.\n`);
  process.exit(2);
}
const dataDir = await mkdtemp(join(tmpdir(), 'edgerest-bench-'));
const cluster = await startCluster({ dataDir, settings: throwAwaySettings });
try {
  for (const name of asked.length > 0 ? asked : Object.keys(benches)) {
    if (isBench(name)) process.stdout.write(await benches[name](cluster.superuserUri()));
  }
} finally {
  await cluster.stop();
  await rm(dataDir, { recursive: true, force: true });
}
