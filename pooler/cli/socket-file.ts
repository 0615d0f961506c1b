/**
 * Socket files. A server listens under a name of its own first: then the file has its mode before anybody finds it, one that
 * is there from an earlier run is replaced in one step, and a server that ends takes only its own file away.
 */
import { randomBytes } from 'node:crypto';
import { chmodSync, lstatSync, renameSync, type Stats, unlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { StartError } from '../start-error.ts';

/** Bytes of a path that the system takes (sun_path, less the NUL at its end). */
const PATH_LIMIT = process.platform === 'linux' ? 107 : 103;

interface Wanted {
  readonly path: string;
  readonly mode: number;
  readonly variable: string;
}

export interface SocketFile {
  /** Whether it is still where clients look for it. */
  isThere(): boolean;
  /** Takes it away, unless another has taken its place. */
  remove(): void;
}

function statOf(path: string): Stats | null {
  return lstatSync(path, { throwIfNoEntry: false }) ?? null;
}

const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error ? String(error.code) : String(error);

/** The name to listen under, beside the wanted one. Throws StartError where there can be no socket file. */
export function stagedSocket({ path, variable }: Wanted): string {
  const refuse = (why: string): StartError => new StartError(`${variable} is ${path}: ${why}.`);
  if (process.platform === 'win32') throw refuse('there are no socket files on this system');
  const staged = join(dirname(path), `.${randomBytes(4).toString('hex')}`);
  const length = Math.max(Buffer.byteLength(path), Buffer.byteLength(staged));
  if (length > PATH_LIMIT) throw refuse(`the path of a socket has at most ${PATH_LIMIT} bytes`);
  let there: Stats | null;
  try {
    there = statOf(path);
  } catch (error) {
    throw refuse(`it cannot be looked at (${codeOf(error)})`);
  }
  if (there !== null && !there.isSocket()) throw refuse('that is there already, and no socket');
  return staged;
}

/** Gives the socket its mode and its name. Throws StartError. */
export function placeSocket(staged: string, { path, mode, variable }: Wanted): SocketFile {
  try {
    chmodSync(staged, mode);
    renameSync(staged, path);
  } catch (error) {
    throw new StartError(`${variable} is ${path}: the socket cannot be put there (${codeOf(error)}).`);
  }
  const own = statOf(path)?.ino;
  const isThere = (): boolean => {
    const there = statOf(path);
    return there !== null && there.ino === own;
  };
  return {
    isThere,
    remove: () => {
      if (isThere()) unlinkSync(path);
    },
  };
}
