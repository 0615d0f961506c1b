/** Deno and Bun themselves, from the npm registry. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { tied } from '../../pooler/cli/lifeline.ts';

export const RUNTIMES = ['deno', 'bun'] as const;
export type Runtime = (typeof RUNTIMES)[number];

/** The scopes of their packages for platforms, of which npm installs the one that fits, and where the program is in there. */
const PACKAGES = {
  deno: { scope: '@deno', program: 'deno' },
  bun: { scope: '@oven', program: 'bin/bun' },
} as const;

const modules = fileURLToPath(new URL('../../node_modules', import.meta.url));

/** The path of the program; null where there is none for this machine. */
export function programOf(runtime: Runtime): string | null {
  const { scope, program } = PACKAGES[runtime];
  const folder = join(modules, scope);
  const name = existsSync(folder) ? readdirSync(folder).find((each) => each.includes(process.platform)) : undefined;
  if (name === undefined) return null;
  const path = join(folder, name, program);
  // Where Bun's install script runs, as it does with an npm that asks nobody, it moves the program.
  return existsSync(path) ? path : join(modules, 'bun', 'bin', 'bun.exe');
}

/** Those that there are for this machine. */
export const PRESENT: readonly Runtime[] = RUNTIMES.filter((runtime) => programOf(runtime) !== null);

/** The title of a runtime's tests. Without a program for this machine it says why they are left out. */
export const titleOf = (runtime: Runtime): string =>
  programOf(runtime) === null
    ? `in ${runtime}: left out, npm has installed none for ${process.platform} on ${process.arch} with this C library`
    : `in ${runtime}`;

/** The network and the environment are all that Deno has to allow. Nothing is looked for elsewhere, and no lock file is written. */
const DENO = ['--no-lock', '--no-remote', '--no-prompt', '--allow-net', '--allow-env'] as const;

/** The command and arguments that run a script in a runtime. */
export function commandFor(runtime: Runtime, script: string, args: readonly string[]): [string, string[]] {
  const program = programOf(runtime);
  if (program === null) throw new Error(`there is no ${runtime} for this machine`);
  return [program, runtime === 'deno' ? ['run', ...DENO, script, ...args] : [script, ...args]];
}

export interface Api {
  readonly url: string;
  /** What it has written so far. */
  said(): string;
  stop(): Promise<unknown>;
}

const script = fileURLToPath(new URL('./api.ts', import.meta.url));

/** What answers the API's requests. */
export type Backend = 'pooler' | 'neon' | 'hyperdrive';

/** Serves the API on a port of 127.0.0.1, a free one for 0, and returns when it listens. */
export async function startApi(
  runtime: Runtime,
  backend: Backend,
  variables: Readonly<Record<string, string>>,
  port = 0,
): Promise<Api> {
  const inherited = Object.entries(process.env).filter(([name]) => !/^(PGRST|EDGEREST)_/.test(name));
  const env = { ...Object.fromEntries(inherited), NODE_ENV: 'production', PORT: String(port), ...variables };
  const child = spawn(...tied('TERM', ...commandFor(runtime, script, [backend])), {
    env,
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const exited = once(child, 'exit');
  let said = '';
  const listens = Promise.withResolvers<string>();
  for (const input of [child.stdout, child.stderr]) {
    createInterface({ input }).on('line', (line) => {
      said += `${line}\n`;
      const url = /^Listening on (http:.*)\/ ?$/.exec(line)?.[1];
      if (url !== undefined) listens.resolve(url);
    });
  }
  exited.then(() => listens.reject(new Error(`${runtime} ended: ${said}`)));
  return {
    url: await listens.promise,
    said: () => said,
    stop: () => {
      child.kill('SIGTERM');
      return exited;
    },
  };
}
