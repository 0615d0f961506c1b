/** The entries for a worker without a pooler in workerd, as their users get them, with miniflare's Hyperdrive around it. */
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { Miniflare } from 'miniflare';

export type Entry = 'hyperdrive' | 'neon';

export interface StandaloneWorker {
  readonly url: URL;
  stop(): Promise<void>;
}

/** What an entry is bundled to. */
async function bundle(entry: Entry): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL(`../../worker/adapters/${entry}.ts`, import.meta.url))],
    bundle: true,
    format: 'esm',
    target: 'es2024',
    conditions: ['workerd'],
    external: ['node:*', 'cloudflare:*'],
    write: false,
    logLevel: 'silent',
  });
  const [file] = outputFiles;
  if (file === undefined) throw new Error('nothing was bundled');
  return file.text;
}

/** Starts it on a port of 127.0.0.1; `hyperdrive` is a connection string for the binding HYPERDRIVE. */
export async function startStandalone(
  entry: Entry,
  bindings: Readonly<Record<string, string>>,
  { hyperdrive = null, port = 0 }: { readonly hyperdrive?: string | null; readonly port?: number } = {},
): Promise<StandaloneWorker> {
  const miniflare = new Miniflare({
    modules: true,
    script: await bundle(entry),
    compatibilityDate: '2026-07-30',
    compatibilityFlags: entry === 'hyperdrive' ? ['nodejs_compat'] : [],
    host: '127.0.0.1',
    port,
    bindings,
    ...(hyperdrive === null ? {} : { hyperdrives: { HYPERDRIVE: hyperdrive } }),
  });
  const url = await miniflare.ready;
  return { url, stop: () => miniflare.dispose() };
}
