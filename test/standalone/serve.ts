/** Serves the API by a worker without a pooler, in workerd, as PGRST_* say: for the conformance corpus. */
import { startStandalone } from './workerd.ts';

const [entry] = process.argv.slice(2);
if (entry !== 'hyperdrive' && entry !== 'neon') throw new Error('usage: serve.ts hyperdrive|neon');

const bindings = Object.fromEntries(
  Object.entries(process.env).flatMap(([name, value]) =>
    /^(PGRST|EDGEREST)_/.test(name) && value !== undefined ? [[name, value] as const] : [],
  ),
);
const worker = await startStandalone(entry, bindings, {
  port: Number(process.env.PGRST_SERVER_PORT ?? 3000),
  hyperdrive: entry === 'hyperdrive' ? (process.env.PGRST_DB_URI ?? null) : null,
});
console.error(`API server listening on ${worker.url.host}`);
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => worker.stop().then(() => process.exit(0)));
}
