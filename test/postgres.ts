/** Databases for tests, on the server that the whole run shares. */
import { randomBytes } from 'node:crypto';
import postgres from 'postgres';
import { inject } from 'vitest';

export interface TestDatabase {
  readonly name: string;
  /** The superuser's connection string. */
  readonly uri: string;
  /** The same database as somebody else. */
  uriAs(user: string, password: string): string;
  /** The superuser's client, for arranging and looking. */
  readonly sql: postgres.Sql;
  /** Ends whatever is connected and drops the database. */
  drop(): Promise<void>;
}

/** A name that no other test of the run has: roles belong to the whole server, so tests that make them need it. */
export function uniqueName(prefix: string): string {
  return `${prefix}_${randomBytes(5).toString('hex')}`;
}

/** The superuser's connection string of the shared server, for one of its databases. */
export function superuserUri(database = 'postgres'): string {
  const uri = new URL(inject('superuserUri'));
  uri.pathname = encodeURIComponent(database);
  return uri.href;
}

/**
 * Creates a database whose name begins with `prefix` and runs the script (any number of statements) in it as superuser.
 * A failing script drops the database again and throws.
 */
export async function createDatabase(prefix: string, script = ''): Promise<TestDatabase> {
  const name = uniqueName(prefix);
  await asSuperuser((sql) => sql`create database ${sql(name)} template template0`);
  const sql = connect(superuserUri(name));
  const database: TestDatabase = {
    name,
    uri: superuserUri(name),
    uriAs: (user, password) => {
      const uri = new URL(superuserUri(name));
      uri.username = encodeURIComponent(user);
      uri.password = encodeURIComponent(password);
      return uri.href;
    },
    sql,
    drop: async () => {
      await sql.end({ timeout: 1 });
      await asSuperuser((admin) => admin`drop database if exists ${admin(name)} with (force)`);
    },
  };
  try {
    await sql.unsafe(script).simple();
  } catch (error) {
    await database.drop();
    throw error;
  }
  return database;
}

function connect(uri: string): postgres.Sql {
  return postgres(uri, { max: 1, onnotice: () => undefined });
}

async function asSuperuser(work: (sql: postgres.Sql) => Promise<unknown>): Promise<void> {
  const sql = connect(superuserUri());
  try {
    await work(sql);
  } finally {
    await sql.end();
  }
}
