import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { isAlive, startCluster, throwAwaySettings } from './cluster.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** A superuser's connection string for the server that all tests of a run share. */
    superuserUri: string;
  }
}

const prefix = 'edgerest-test-';

/** One PostgreSQL for the whole run, or the one that EDGEREST_TEST_DB_URI (a superuser's) names. */
export default async function setup(project: TestProject): Promise<(() => Promise<void>) | undefined> {
  const given = process.env.EDGEREST_TEST_DB_URI;
  if (given) {
    project.provide('superuserUri', given);
    return undefined;
  }
  await sweep();
  const dataDir = await mkdtemp(join(tmpdir(), `${prefix}${process.pid}-`));
  const remove = () => rm(dataDir, { recursive: true, force: true });
  try {
    const cluster = await startCluster({ dataDir, settings: throwAwaySettings });
    project.provide('superuserUri', cluster.superuserUri());
    return () => cluster.stop().then(remove);
  } catch (error) {
    await remove();
    throw error;
  }
}

/** A run that is interrupted cannot remove its data: the next one does. */
async function sweep(): Promise<void> {
  for (const name of await readdir(tmpdir())) {
    if (!name.startsWith(prefix) || isAlive(Number.parseInt(name.slice(prefix.length), 10))) continue;
    await rm(join(tmpdir(), name), { recursive: true, force: true }).catch(() => undefined); // another user's
  }
}
