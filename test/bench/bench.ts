/** `npm run bench`: how near the API comes to what the database could do for it. The figures stand in docs/performance.md. */
import { onShutdown } from '../../pooler/cli/shutdown.ts';
import { openDatabase } from './database.ts';
import { readOptions } from './options.ts';
import { describe, type Measured, measureShares, toJson } from './shares.ts';
import { measureSteps } from './steps.ts';

const options = readOptions(process.argv.slice(2));
const shutdown = onShutdown((observation) => {
  if (observation.kind === 'fault') process.stderr.write(`bench: ${String(observation.error)}\n`);
});
try {
  const database = await openDatabase(process.env.EDGEREST_BENCH_DB_URI);
  shutdown.add(() => database.close());
  if (options.steps) process.stdout.write(await measureSteps(options.only, database.login));
  else {
    const measured: Measured[] = [];
    for await (const each of measureShares(options, database.login, shutdown.add)) {
      process.stdout.write(describe(each));
      measured.push(each);
    }
    process.stdout.write(`${toJson(measured)}\n`);
  }
  shutdown.end(0);
} catch (error) {
  process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n`);
  shutdown.end(1);
}
