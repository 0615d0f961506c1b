/** What is looked up and printed instead of being served: `--dump-config` and `--dump-schema`. */
import type { Sql } from 'postgres';
import { ConfigurationError } from '../config/configuration.ts';
import { messageOf } from '../message-of.ts';
import { singleConnection } from '../snapshot/client.ts';
import { loadSnapshot } from '../snapshot/load.ts';
import { connectionConfig } from '../start.ts';
import { StartError } from '../start-error.ts';
import type { Configured } from './config.ts';
import { dumpConfig } from './dump-config.ts';

async function connected<T>({ configuration }: Configured, work: (sql: Sql) => Promise<T>): Promise<T> {
  const sql = singleConnection(connectionConfig(configuration.current));
  try {
    return await work(sql);
  } finally {
    await sql.end({ timeout: 1 });
  }
}

/**
 * The configuration, the database's part of it included. Where the database cannot be asked, that is logged and the rest is
 * returned, as PostgREST does. Throws ConfigurationError for what is wrong.
 */
export async function configText(configured: Configured): Promise<string> {
  const { configuration, log } = configured;
  if (configuration.current.dbConfig) {
    try {
      await connected(configured, (sql) => configuration.read(sql, false));
    } catch (error) {
      if (error instanceof ConfigurationError) throw error;
      log('notice', `Failed to query database settings for the config parameters: ${messageOf(error)}`);
    }
  }
  return dumpConfig(configuration.current);
}

/** The schema cache as one line of JSON. Throws ConfigurationError, or StartError where it cannot be loaded. */
export async function schemaText(configured: Configured): Promise<string> {
  try {
    const snapshot = await connected(configured, async (sql) =>
      loadSnapshot(sql, await configured.configuration.read(sql, false), null),
    );
    return `${JSON.stringify(snapshot)}\n`;
  } catch (error) {
    if (error instanceof StartError) throw error;
    throw new StartError(`the schema cache cannot be loaded: ${messageOf(error)}`);
  }
}
