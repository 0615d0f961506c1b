/** The one blog of a test run: its roles belong to the whole server, so the tests that need it share it. */
import { createHash } from 'node:crypto';
import postgres from 'postgres';
import { type Blog, blogScript, loadBlog } from '../../examples/blog/load.ts';
import { superuserUri } from '../postgres.ts';

export interface SharedBlog extends Blog {
  readonly superuserUri: string;
}

const database = 'edgerest_blog';
const loginPassword = 'the login role of tests';

/**
 * The database with the blog in it, made by the first caller. Others write to it at the same time: use users, e-mail
 * addresses and titles of your own, and count on nothing but the data of data.sql.
 */
export async function sharedBlog(): Promise<SharedBlog> {
  const digest = createHash('sha256')
    .update(await blogScript())
    .digest('hex');
  const admin = postgres(superuserUri(), { max: 1, onnotice: () => undefined });
  try {
    await admin`select pg_advisory_lock(7403221)`; // until the connection ends
    const [found] = await admin`
      select shobj_description(oid, 'pg_database') as digest from pg_database where datname = ${database}`;
    if (found?.digest !== digest) {
      if (found) await removeBlog(admin);
      await admin`create database ${admin(database)} template template0`;
    }
    const blog = await loadBlog(superuserUri(database), loginPassword);
    if (blog.loaded) await admin.unsafe(`comment on database ${database} is '${digest}'`);
    return { ...blog, superuserUri: superuserUri(database) };
  } finally {
    await admin.end();
  }
}

/** What an earlier run left on a server that outlives the run, with the roles of its users. */
async function removeBlog(admin: postgres.Sql): Promise<void> {
  await admin`drop database if exists ${admin(database)} with (force)`;
  await admin.unsafe(`
    do $$
    declare
      stale name;
    begin
      for stale in select rolname from pg_roles where rolname ~ '^blog_user_[0-9]+$' loop
        execute format('drop role %I', stale);
      end loop;
    end
    $$`);
}
