/** What the database itself guarantees, without the API in front of it. */
import { jwtVerify } from 'jose';
import postgres from 'postgres';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { loadBlog } from '../../examples/blog/load.ts';
import { uniqueName } from '../postgres.ts';
import { type SharedBlog, sharedBlog } from './database.ts';

let blog: SharedBlog;
let admin: postgres.Sql;
let login: postgres.Sql;

beforeAll(async () => {
  blog = await sharedBlog();
  admin = postgres(blog.superuserUri, { max: 1, onnotice: () => undefined });
  login = postgres(blog.loginUri, { max: 2, onnotice: () => undefined });
});

afterAll(async () => {
  await admin.end();
  await login.end();
});

/** Statements as one of the API's roles, in a transaction. */
function as<T>(role: string, work: (sql: postgres.TransactionSql) => Promise<T>) {
  return login.begin(async (sql) => {
    await sql`select set_config('role', ${role}, true)`;
    return work(sql);
  });
}

async function signUp(name: string): Promise<{ id: string; email: string; role: string }> {
  const email = `${uniqueName(name)}@example.com`;
  const [user] = await as('anon', (sql) => sql`select * from api.signup(${email}, ${`${name}'s password`}, ${name})`);
  const id = String(user?.id);
  return { id, email, role: `blog_user_${id}` };
}

const denied = { code: '42501' };

test('loading again changes nothing but the password', async () => {
  const counts = () => admin`
    select (select max(id) from api.post where id <= 120) as posts, (select jwt_secret from private.settings) as secret`;
  const before = await counts();
  expect(await loadBlog(blog.superuserUri, new URL(blog.loginUri).password.replaceAll('%20', ' '))).toEqual({
    loginUri: blog.loginUri,
    jwtSecret: blog.jwtSecret,
    loaded: false,
  });
  expect(await counts()).toEqual(before);
});

test('the login role owns nothing, inherits nothing and can do nothing by itself', async () => {
  const { role } = await signUp('Lin');
  const [found] = await admin`
    select rolinherit, rolsuper, rolcreaterole, rolbypassrls,
      (select count(*)::int from pg_shdepend where refobjid = pg_roles.oid and deptype = 'o') as owned,
      pg_has_role('authenticator', ${role}, 'MEMBER') as member,
      pg_has_role('authenticator', ${role}, 'USAGE') as inherits,
      pg_has_role('authenticator', 'anon', 'USAGE') as inherits_anon,
      pg_has_role('authenticator', 'blog_accounts', 'MEMBER') as accounts
    from pg_roles where rolname = 'authenticator'`;
  expect(found).toEqual({
    rolinherit: false,
    rolsuper: false,
    rolcreaterole: false,
    rolbypassrls: false,
    owned: 0,
    member: true,
    inherits: false,
    inherits_anon: false,
    accounts: false,
  });
  await expect(login`select * from api."user"`).rejects.toMatchObject(denied);
});

test('nobody but the functions reads password hashes and the signing secret', async () => {
  const { role } = await signUp('Kim');
  for (const each of ['anon', role]) {
    for (const table of ['private.account', 'private.settings', 'pg_catalog.pg_authid']) {
      await expect(as(each, (sql) => sql`select * from ${sql(table)}`)).rejects.toMatchObject(denied);
    }
    await expect(as(each, (sql) => sql`select private.user_of('blog_user_1')`)).rejects.toMatchObject(denied);
    await expect(as(each, (sql) => sql`select private.jwt('{}', 'x')`)).rejects.toMatchObject(denied);
  }
  const [shown] = await as('anon', (sql) => sql`select to_jsonb(u) as row from api."user" as u limit 1`);
  expect(Object.keys(shown?.row).sort()).toEqual(['age', 'id', 'last_name', 'name', 'paid']);
});

test('sign-up makes a role of its own that is granted to the login role and is an author', async () => {
  const { role } = await signUp('Mia');
  const [found] = await admin`
    select rolcanlogin, rolsuper, rolcreaterole, rolbypassrls, pg_has_role(oid, 'blog_author', 'USAGE') as author,
      pg_has_role('blog_accounts', oid, 'USAGE') as accounts_inherits
    from pg_roles where rolname = ${role}`;
  expect(found).toEqual({
    rolcanlogin: false,
    rolsuper: false,
    rolcreaterole: false,
    rolbypassrls: false,
    author: true,
    accounts_inherits: false,
  });
});

test('a sign-up that fails leaves no user, no role and no hash in its error', async () => {
  const { email } = await signUp('Noa');
  const attempts: [string | null, string | null, string | null, string][] = [
    [email.toUpperCase(), 'long enough', 'Noa', '23505'],
    ['no address', 'long enough', 'Noa', '22023'],
    [null, 'long enough', 'Noa', '22023'],
    [`${uniqueName('n')}@example.com`, 'short', 'Noa', '22023'],
    [`${uniqueName('n')}@example.com`, 'é'.repeat(37), 'Noa', '22023'],
    [`${uniqueName('n')}@example.com`, null, 'Noa', '22023'],
    [`${uniqueName('n')}@example.com`, 'long enough', '', '23514'],
    [`${uniqueName('n')}@example.com`, 'long enough', null, '23502'],
  ];
  for (const [address, password, name, code] of attempts) {
    const failure = await as('anon', (sql) => sql`select api.signup(${address}, ${password}, ${name})`).then(
      () => undefined,
      (error: unknown) => error,
    );
    expect(failure).toMatchObject({ code });
    expect(JSON.stringify(failure)).not.toContain('$2a$');
  }
  const [orphans] = await admin`
    select count(*)::int as users from api."user" where name = 'Noa' and id not in (select user_id from private.account)`;
  expect(orphans).toEqual({ users: 0 });
});

test('log-in returns a token for the role that the API can verify; wrong ones look the same', async () => {
  const { id, email, role } = await signUp('Oli');
  const [row] = await as('anon', (sql) => sql`select api.login(${email.toUpperCase()}, ${"Oli's password"}) as token`);
  const verified = await jwtVerify(String(row?.token), new TextEncoder().encode(blog.jwtSecret));
  expect(verified.protectedHeader).toEqual({ alg: 'HS256', typ: 'JWT' });
  expect(verified.payload).toEqual({ role, sub: id, iat: expect.any(Number), exp: expect.any(Number) });
  expect((verified.payload.exp ?? 0) - (verified.payload.iat ?? 0)).toBe(8 * 3600);

  const wrong: [string | null, string | null][] = [
    [email, 'wrong password'],
    [uniqueName('unknown'), "Oli's password"],
    [email, null],
    [null, null],
    [email, ''],
  ];
  for (const [address, password] of wrong) {
    await expect(as('anon', (sql) => sql`select api.login(${address}, ${password})`)).rejects.toMatchObject({
      code: '28P01',
      message: 'wrong e-mail address or password',
    });
  }
});

test('a post is its owner’s alone until it is published, and in nobody else’s name', async () => {
  const owner = await signUp('Pat');
  const other = await signUp('Quin');
  const title = uniqueName('title');
  const read = (role: string) => as(role, (sql) => sql`select owner, title from api.post where title = ${title}`);

  await as(owner.role, (sql) => sql`insert into api.post (title) values (${title})`);
  expect(await read(owner.role)).toEqual([{ owner: owner.role, title }]);
  expect(await read(other.role)).toEqual([]);
  expect(await read('anon')).toEqual([]);

  await as(owner.role, (sql) => sql`update api.post set published = true where title = ${title}`);
  expect(await read(other.role)).toEqual([{ owner: owner.role, title }]);
  expect(await read('anon')).toEqual([{ owner: owner.role, title }]);
  const view = await as('anon', (sql) => sql`select author from api.published_post where title = ${title}`);
  expect(view).toEqual([{ author: 'Pat' }]);

  const change = await as(other.role, (sql) => sql`update api.post set title = 'taken' where title = ${title}`);
  const removal = await as(other.role, (sql) => sql`delete from api.post where title = ${title}`);
  expect([change.count, removal.count]).toEqual([0, 0]);

  const inAnothersName = [
    as(other.role, (sql) => sql`insert into api.post (title, owner) values ('x', ${owner.role})`),
    as(other.role, (sql) => sql`insert into api.post (title, owner, user_id) values ('x', ${owner.role}, ${owner.id})`),
    as(owner.role, (sql) => sql`update api.post set owner = ${other.role}, user_id = ${other.id}`),
    as('anon', (sql) => sql`insert into api.post (title) values ('x')`),
  ];
  for (const attempt of await Promise.allSettled(inAnothersName)) {
    expect(attempt).toMatchObject({ status: 'rejected', reason: denied });
  }
  await expect(
    as(other.role, (sql) => sql`insert into api.post (title, user_id) values ('x', ${owner.id})`),
  ).rejects.toMatchObject({ code: '23514', constraint_name: 'post_owner_is_user' });
});

test('anybody may add a user to the list, without saying that it has paid', async () => {
  const name = uniqueName('J Doe');
  await as('anon', (sql) => sql`insert into api."user" (name, age) values (${name}, 23)`);
  const rows = await as('anon', (sql) => sql`select last_name, age, paid from api."user" where name = ${name}`);
  expect(rows).toEqual([{ last_name: null, age: 23, paid: false }]);
  for (const statement of [
    'insert into api."user" (name, paid) values (\'x\', true)',
    'update api."user" set paid = true',
  ]) {
    await expect(as('anon', (sql) => sql.unsafe(statement))).rejects.toMatchObject(denied);
  }
});
