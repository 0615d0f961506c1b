/** Serves the API by a worker without a pooler, in workerd, as PGRST_* say: for the conformance corpus. */
import { edgerest, says } from '../../pooler/cli/program.fixture.ts';
import { startStandalone } from './workerd.ts';

const [entry] = process.argv.slice(2);
if (entry !== 'hyperdrive' && entry !== 'neon') throw new Error('usage: serve.ts hyperdrive|neon');

const bindings = Object.fromEntries(
  Object.entries(process.env).flatMap(([name, value]) =>
    /^(PGRST|EDGEREST)_/.test(name) && value !== undefined ? [[name, value] as const] : [],
  ),
);
const dbUri = bindings.PGRST_DB_URI ?? '';

/** A driver endpoint of our own in front of the database, as what else takes Neon's protocol. */
async function startEndpoint(): Promise<{ readonly url: string; stop(): Promise<unknown> }> {
  const { child, exited, ...running } = edgerest(['pooler'], {
    PGRST_DB_URI: dbUri,
    PGRST_DB_CONFIG: 'false',
    EDGEREST_POOLER_SECRET: 'x'.repeat(32),
    EDGEREST_POOLER_PORT: '0',
    EDGEREST_DRIVER_PORT: '0',
  });
  const listens = /Driver endpoint listening on (\S+)/;
  await says({ child, exited, ...running }, listens);
  return {
    url: `http://${listens.exec(running.said())?.[1]}/sql`,
    stop: () => {
      child.kill('SIGTERM');
      return exited;
    },
  };
}

const endpoint = entry === 'neon' ? await startEndpoint() : null;
const worker = await startStandalone(
  entry,
  endpoint === null ? bindings : { ...bindings, EDGEREST_SQL_URL: endpoint.url },
  { port: Number(process.env.PGRST_SERVER_PORT ?? 3000), hyperdrive: entry === 'hyperdrive' ? dbUri : null },
);
console.error(`API server listening on ${worker.url.host}`);
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => Promise.all([worker.stop(), endpoint?.stop()]).then(() => process.exit(0)));
}
