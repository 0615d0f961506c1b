/** Puts the blog into a database: its SQL files, once, and the login role's password. */
import { readFile } from 'node:fs/promises';
import postgres from 'postgres';

export interface Blog {
  /** The connection string that the API logs in with. It holds the password. */
  readonly loginUri: string;
  /** PGRST_JWT_SECRET: the secret that api.login signs with. */
  readonly jwtSecret: string;
  /** Whether this call loaded it; false when it was there. */
  readonly loaded: boolean;
}

/** In the order in which they run. */
const files = ['roles.sql', 'schema.sql', 'accounts.sql', 'data.sql'];

/** The blog's SQL, any number of statements, each of which may be run again. */
export async function blogScript(): Promise<string> {
  const texts = await Promise.all(files.map((file) => readFile(new URL(file, import.meta.url), 'utf8')));
  return texts.join('\n');
}

/** Creates the database unless it is there. */
export async function createBlogDatabase(superuserUri: string, name: string): Promise<void> {
  const sql = postgres(superuserUri, { max: 1, onnotice: () => undefined, connect_timeout: 10 });
  try {
    const found = await sql`select from pg_database where datname = ${name}`;
    if (found.length === 0) await sql`create database ${sql(name)} template template0`;
  } finally {
    await sql.end();
  }
}

/**
 * Loads the blog into a superuser's database unless it is there, all or nothing, and gives the login role `password`.
 * Throws the database's error.
 */
export async function loadBlog(superuserUri: string, password: string): Promise<Blog> {
  const sql = postgres(superuserUri, { max: 1, onnotice: () => undefined, connect_timeout: 10 });
  try {
    return await sql.begin(async (transaction) => {
      // Two starts at once: the second waits here and finds the blog loaded. The number has no meaning.
      await transaction`select pg_advisory_xact_lock(7403221)`;
      const [found] = await transaction<
        { blog: boolean }[]
      >`select to_regclass('private.settings') is not null as blog`;
      const missing = found?.blog !== true;
      if (missing) await transaction.unsafe(await blogScript()).simple();
      // ALTER ROLE takes no parameters: the server quotes the password itself.
      await transaction`select set_config('blog.password', ${password}, true)`;
      await transaction.unsafe(
        `do $$ begin execute format('alter role authenticator password %L', current_setting('blog.password')); end $$`,
      );
      const [settings] = await transaction<{ jwt_secret: string }[]>`select jwt_secret from private.settings`;
      if (!settings) throw new Error('private.settings is empty: the blog was changed, load it afresh');
      const login = new URL(superuserUri);
      login.username = 'authenticator';
      login.password = encodeURIComponent(password);
      return { loginUri: login.href, jwtSecret: settings.jwt_secret, loaded: missing };
    });
  } finally {
    await sql.end();
  }
}
