/** The worker as the one file that workerd runs. An installed package has it; beside the sources it is made of them. */
import { existsSync } from 'node:fs';
import { copyFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { StartError } from '../start-error.ts';

const fileAt = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/** What `npm run build` puts beside this file when it is compiled, the same as Cloudflare gets. */
const BUILT = fileAt('../../cloudflare/worker.js');
const SOURCE = fileAt('../../worker/adapters/worker.ts');

/** Puts the worker there. Throws StartError where a package is missing. */
export async function placeWorker(path: string): Promise<void> {
  if (existsSync(SOURCE)) await bundle(path);
  else await copyFile(BUILT, path);
}

/** The worker and all that it imports. */
async function bundle(outfile: string): Promise<void> {
  try {
    const { build } = await import('esbuild');
    await build({
      entryPoints: [SOURCE],
      outfile,
      bundle: true,
      format: 'esm',
      target: 'es2024',
      conditions: ['workerd', 'worker', 'browser'],
      logLevel: 'silent',
    });
  } catch (error) {
    const lines = error instanceof Error ? error.message.split('\n') : [String(error)];
    const reason = lines.find((line) => /could not|cannot find/i.test(line)) ?? lines[0];
    throw new StartError(`the worker cannot be bundled, run \`npm ci\` again: ${reason}`);
  }
}
