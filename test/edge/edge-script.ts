import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

/** A script in worker/ as Vercel bundles an edge function: one file with what the runtime has, and nothing of Node. */
export async function edgeScript(contents: string, define: Readonly<Record<string, string>>): Promise<string> {
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: fileURLToPath(new URL('../../worker', import.meta.url)) },
    define: { ...define },
    bundle: true,
    write: false,
    format: 'iife',
    platform: 'browser',
    conditions: ['edge-light', 'worker', 'browser'],
  });
  return outputFiles[0]?.text ?? '';
}
