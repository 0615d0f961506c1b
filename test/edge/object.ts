/** The API in a Durable Object of workerd: there a socket to the pooler outlives the requests that use it. */
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { Miniflare } from 'miniflare';

/** Starts it for a pooler at this address, of WebSockets. */
export async function startObject(
  poolerUrl: string,
  secret: string,
): Promise<{ readonly url: string; stop(): Promise<void> }> {
  const bundle = await build({
    entryPoints: [fileURLToPath(new URL('./durable-object.fixture.ts', import.meta.url))],
    bundle: true,
    write: false,
    format: 'esm',
    target: 'es2024',
  });
  const miniflare = new Miniflare({
    modules: true,
    script: bundle.outputFiles[0]?.text ?? '',
    compatibilityDate: '2026-07-30',
    durableObjects: { API: 'Api' },
    // What workerd says of streams that break off.
    handleRuntimeStdio: (stdout, stderr) => {
      stdout.resume();
      stderr.resume();
    },
    bindings: { EDGEREST_POOLER_URL: poolerUrl, EDGEREST_POOLER_SECRET: secret },
  });
  const { href } = await miniflare.ready;
  return { url: href.replace(/\/$/, ''), stop: () => miniflare.dispose() };
}
