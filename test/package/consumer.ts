/** The published package, installed into a folder that has nothing to do with this repository. */
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

export const ROOT: string = fileURLToPath(new URL('../..', import.meta.url));

const execute = promisify(execFile);

/** The caller's variables, without what npm says of the script that it runs and what concerns the program. */
export function plainEnvironment(): Record<string, string | undefined> {
  const own = /^(PGRST_|EDGEREST_|PG|npm_(package|lifecycle|config_local_prefix))/;
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !own.test(name)));
}

export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly said: string;
}

/** Runs a program to its end. */
export async function run(
  folder: string,
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Ran> {
  const options = { cwd: folder, env: { ...plainEnvironment(), ...env }, maxBuffer: 16 * 1024 * 1024 };
  try {
    const { stdout, stderr } = await execute(program, [...args], options);
    return { code: 0, out: stdout, said: stderr };
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && 'stdout' in error && 'stderr' in error)) throw error;
    if (typeof error.code !== 'number') throw error;
    return { code: error.code, out: String(error.stdout), said: String(error.stderr) };
  }
}

async function succeed(folder: string, program: string, args: readonly string[]): Promise<void> {
  const { code, out, said } = await run(folder, program, args);
  if (code !== 0) throw new Error(`${program} ${args.join(' ')} failed:\n${out}${said}`);
}

export interface Consumer {
  readonly folder: string;
  /** The paths that are in the package. */
  readonly packed: readonly string[];
  /** The names of all packages that were installed. */
  readonly installed: readonly string[];
  remove(): Promise<void>;
}

async function pathsUnder(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1));
}

async function installedIn(folder: string): Promise<string[]> {
  const lock: unknown = JSON.parse(await readFile(join(folder, 'package-lock.json'), 'utf8'));
  if (typeof lock !== 'object' || lock === null || !('packages' in lock))
    throw new Error('a lock file of another kind');
  return Object.keys(lock.packages ?? {}).flatMap((path) => path.split('node_modules/').slice(-1).filter(Boolean));
}

/** Builds and packs what would be published, and installs it. */
export async function consumer(): Promise<Consumer> {
  const folder = await mkdtemp(join(tmpdir(), 'edgerest-package-'));
  await succeed(ROOT, 'npm', ['pack', '--pack-destination', folder]);
  const [tarball] = (await readdir(folder)).filter((name) => name.endsWith('.tgz'));
  if (tarball === undefined) throw new Error('npm pack made nothing');
  await writeFile(join(folder, 'package.json'), '{"private":true,"type":"module"}');
  // What the repository has been installed from is in npm's cache.
  await succeed(folder, 'npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', `./${tarball}`]);
  return {
    folder,
    packed: await pathsUnder(join(folder, 'node_modules', 'edgerest')),
    installed: await installedIn(folder),
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}
