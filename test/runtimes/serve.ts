/** Serves the API by the worker in Deno or Bun, over a WebSocket to a pooler, as PGRST_* say: for the conformance corpus. */
import { edgerest, says } from '../../pooler/cli/program.fixture.ts';
import { RUNTIMES, startApi } from './runtime.ts';

const [name] = process.argv.slice(2);
const runtime = RUNTIMES.find((known) => known === name);
if (runtime === undefined) throw new Error(`usage: serve.ts ${RUNTIMES.join('|')}`);

const EDGEREST_POOLER_SECRET = 'x'.repeat(32);
const variables = Object.fromEntries(
  Object.entries(process.env).flatMap(([variable, value]) =>
    /^PGRST_/.test(variable) && value !== undefined ? [[variable, value] as const] : [],
  ),
);
const pooler = edgerest(['pooler'], {
  ...variables,
  EDGEREST_POOLER_SECRET,
  EDGEREST_POOLER_PORT: '0',
  // One case is a superuser's.
  EDGEREST_ALLOWED_ROLES: '*,postgrest_test_superuser',
});
const listens = /Pooler listening on (\S+)/;
await says(pooler, listens);
const EDGEREST_POOLER_URL = `ws://${listens.exec(pooler.said())?.[1]}`;
const port = Number(process.env.PGRST_SERVER_PORT ?? 3000);
const api = await startApi(runtime, 'pooler', { EDGEREST_POOLER_URL, EDGEREST_POOLER_SECRET }, port);
console.error(`API server listening on ${new URL(api.url).host}`);

async function stop(): Promise<void> {
  pooler.child.kill('SIGTERM');
  await Promise.all([api.stop(), pooler.exited]);
  process.exit(0);
}
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, stop);
