/**
 * Replays PostgREST's conformance corpus against one of our modes, on a PostgreSQL of its own:
 *
 *     npm run -s conformance -- serve <folder of the corpus> [options of its run.mjs, such as --configs base or --only ID]
 *
 * `hyperdrive` and `neon` are the worker without a pooler, in workerd; `deno` and `bun` the worker there, over a WebSocket to a pooler. Needs psql, for the corpus's loader. Fails when fewer cases pass than the floor of conformance-floor.json, which only rises.
 * Everything said goes to conformance-<mode>.log.
 */
import { type SpawnOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { finished } from 'node:stream/promises';
import { ClusterError, freePort, startCluster, throwAwaySettings } from './cluster.ts';

const floorFile = join(import.meta.dirname, 'conformance-floor.json');

interface Totals {
  readonly passed: number;
  readonly line: string;
}

async function main(mode: string | undefined, folder: string | undefined, options: readonly string[]): Promise<number> {
  if (!isMode(mode) || folder === undefined) {
    console.error(
      `usage: npm run -s conformance -- ${MODES.join('|')} <folder of the corpus> [options of its run.mjs]`,
    );
    return 2;
  }
  const corpus = resolve(folder);
  const dataDir = await mkdtemp(join(tmpdir(), 'edgerest-conformance-'));
  try {
    // The loader asks for LC_CTYPE C; with a builtin locale only the cluster can give it.
    const cluster = await startCluster({ dataDir, settings: throwAwaySettings, locale: 'C' });
    try {
      await succeed(join(corpus, 'load-fixtures.sh'), [cluster.superuserUri()]);
      const uri = new URL(cluster.superuserUri('conformance'));
      uri.username = 'Postgrest_Test_Authenticator';
      uri.password = 'conformance';
      const totals = await replay(mode, corpus, uri.href, options);
      return report(mode, totals, options.length > 0);
    } finally {
      await cluster.stop();
    }
  } finally {
    await rm(dataDir, { recursive: true, force: true });
  }
}

const MODES = ['serve', 'edge', 'hyperdrive', 'neon', 'deno', 'bun'] as const;
type Mode = (typeof MODES)[number];
const isMode = (mode: string | undefined): mode is Mode => MODES.some((known) => known === mode);

/** How a mode is started. */
function commandOf(mode: Mode): string {
  if (mode === 'serve' || mode === 'edge') return `npm run -s edgerest -- ${mode}`;
  const folder = mode === 'deno' || mode === 'bun' ? 'runtimes' : 'standalone';
  return `exec ${process.execPath} ${join(import.meta.dirname, folder, 'serve.ts')} ${mode}`;
}

async function succeed(program: string, args: readonly string[]): Promise<void> {
  const [code] = await once(start(program, args, { stdio: ['ignore', 'ignore', 'inherit'] }), 'exit');
  if (code !== 0) throw new ClusterError('start', `${program} ended with ${code}`);
}

async function replay(mode: Mode, corpus: string, uri: string, options: readonly string[]): Promise<Totals> {
  const asked = ['--all', '--start', commandOf(mode), '--db-uri', uri, '--port', String(await freePort())];
  // Some cases validate a large document in the database, which takes its time on a busy machine.
  const exact = ['--pg', '18', '--bytes', '--skip-tag', 'server-version', '--timeout', '60000'];
  const run = start(process.execPath, [join(corpus, 'run.mjs'), ...asked, ...exact, ...options], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  if (run.stdout === null) throw new ClusterError('start', 'run.mjs has no output');
  const log = createWriteStream(`conformance-${mode}.log`);
  run.stdout.pipe(log);
  let said = '';
  for await (const chunk of run.stdout.setEncoding('utf8')) said += chunk;
  await finished(log);
  const line = said.trimEnd().split('\n').at(-1) ?? '';
  const passed = /^(\d+) passed, \d+ failed, \d+ skipped$/.exec(line)?.[1];
  if (passed === undefined) throw new ClusterError('start', `run.mjs ended with: ${line}`);
  console.log(said.slice(said.indexOf('== totals')).trimEnd().split('\n').slice(0, -1).join('\n'));
  return { passed: Number(passed), line };
}

/** The status to end with; a part of the corpus has no floor. */
async function report(mode: Mode, totals: Totals, partial: boolean): Promise<number> {
  const floors: unknown = JSON.parse(await readFile(floorFile, 'utf8'));
  const floor = Number(Reflect.get(Object(floors), mode));
  const below = !partial && !(totals.passed >= floor);
  if (below) console.log(`${mode}: ${floor - totals.passed} cases fewer than the floor of ${floor} passed`);
  if (!partial && totals.passed > floor)
    console.log(`${mode}: raise the floor in ${floorFile} from ${floor} to ${totals.passed}`);
  console.log(totals.line);
  return below ? 1 : 0;
}

function start(program: string, args: readonly string[], options: SpawnOptions) {
  const child = spawn(program, args, options);
  const stop = () => child.kill('SIGTERM'); // run.mjs then ends the server it started
  process.once('SIGINT', stop).once('SIGTERM', stop);
  return child;
}

const [mode, folder, ...options] = process.argv.slice(2);
try {
  process.exitCode = await main(mode, folder, options);
} catch (error) {
  console.error(error instanceof ClusterError ? error.message : error);
  process.exitCode = 1;
}
