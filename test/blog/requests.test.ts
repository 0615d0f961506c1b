/** The requests that the blog was made for. */
import postgres from 'postgres';
import { expect, test } from 'vitest';
import { uniqueName } from '../postgres.ts';
import { inEachMode } from './server.ts';

inEachMode(({ ask, blog, newUser }) => {
  async function fromDatabase(query: string): Promise<unknown> {
    const sql = postgres(blog().superuserUri, { max: 1, onnotice: () => undefined });
    try {
      const [row] = await sql.unsafe(`select coalesce(json_agg(r), '[]') as rows from (${query}) as r`);
      return row?.rows;
    } finally {
      await sql.end();
    }
  }

  test('GET /user?age=gte.18&paid=is.true', async () => {
    const answer = await ask('GET', '/user?age=gte.18&paid=is.true');
    expect(answer.status).toBe(200);
    expect(answer.headers.get('Content-Type')).toBe('application/json; charset=utf-8');
    const rows = await fromDatabase('select * from api."user" where age >= 18 and paid');
    expect(answer.headers.get('Content-Range')).toBe(`0-${Array.isArray(rows) ? rows.length - 1 : '?'}/*`);
    expect(answer.json).toEqual(rows);
    // the first of many, none of them with anything that is not public
    expect(answer.json).toContainEqual({ id: 1, name: 'Ada', last_name: 'Lovelace', age: 36, paid: true });
  });

  test('GET /user?limit=15&offset=30', async () => {
    const answer = await ask('GET', '/user?limit=15&offset=30&order=id');
    expect(answer.status).toBe(200);
    expect(answer.headers.get('Content-Range')).toBe('30-44/*');
    expect(answer.json).toEqual(await fromDatabase('select * from api."user" where id between 31 and 45 order by id'));

    const unordered = await ask('GET', '/user?limit=15&offset=30');
    expect(unordered.status).toBe(200);
    expect(unordered.json).toHaveLength(15);

    const counted = await ask('GET', '/user?limit=15&offset=30&id=lte.60', { headers: { Prefer: 'count=exact' } });
    expect(counted.status).toBe(206);
    expect(counted.headers.get('Content-Range')).toBe('30-44/60');

    const ranged = await ask('GET', '/user?order=id', { headers: { Range: '30-44', 'Range-Unit': 'items' } });
    expect(ranged.json).toEqual(answer.json);
  });

  test('GET /user?select=last_name,post(title)', async () => {
    const answer = await ask('GET', '/user?select=last_name,post(title)&id=lte.3&order=id&post.order=id');
    expect(answer.status).toBe(200);
    expect(answer.json).toEqual([
      { last_name: 'Lovelace', post: [{ title: 'Note G' }] },
      { last_name: 'Hopper', post: [{ title: 'A moth in relay 70' }] },
      { last_name: 'Diffie', post: [{ title: 'Repairing an old radio' }] },
    ]);
    const whole = await ask('GET', '/user?select=last_name,post(title)');
    expect(whole.status).toBe(200);
    expect(whole.json).toContainEqual({ last_name: 'Lovelace', post: [{ title: 'Note G' }] });
  });

  test('GET /post?select=title,user(name), the other way round, and the view', async () => {
    const posts = await ask('GET', '/post?select=title,user(name)&id=in.(1,2,3)&order=id.desc');
    expect(posts.json).toEqual([
      { title: 'A moth in relay 70', user: { name: 'Grace' } },
      { title: 'Note G', user: { name: 'Ada' } },
    ]);
    const view = await ask('GET', '/published_post?select=author,words:title::text&id=in.(1,2,3)&order=id');
    expect(view.json).toEqual([
      { author: 'Ada Lovelace', words: 'Note G' },
      { author: 'Grace Hopper', words: 'A moth in relay 70' },
    ]);
  });

  test('and, or and not', async () => {
    const filter = 'and=(id.lte.60,or(age.lt.12,and(age.gt.60,paid.not.is.true)))';
    const answer = await ask('GET', `/user?${filter}&name=not.eq.Vint&select=id,name&order=age.desc,id`);
    expect(answer.json).toEqual(
      await fromDatabase(`
        select id, name from api."user"
        where id <= 60 and (age < 12 or age > 60 and not paid) and name <> 'Vint' order by age desc, id`),
    );
  });

  test('POST /user {"name":"J Doe","age":23}', async () => {
    const answer = await ask('POST', '/user', { body: '{"name":"J Doe","age":23}' });
    expect(answer).toMatchObject({ status: 201, text: '' });
    expect(answer.headers.get('Content-Length')).toBe('0');

    const name = uniqueName('J Doe');
    const shown = await ask('POST', '/user', { body: { name, age: 23 }, headers: { Prefer: 'return=representation' } });
    expect(shown.status).toBe(201);
    expect(shown.headers.get('Preference-Applied')).toBe('return=representation');
    expect(shown.json).toEqual([{ id: expect.any(Number), name, last_name: null, age: 23, paid: false }]);
    const read = await ask('GET', `/user?name=eq.${encodeURIComponent(name)}`);
    expect(read.json).toEqual(shown.json);
  });

  test('POST /rpc/add_them {"a":1,"b":2}', async () => {
    const answer = await ask('POST', '/rpc/add_them', { body: '{"a":1,"b":2}' });
    expect(answer).toMatchObject({ status: 200, text: '3' });
    expect(answer.headers.get('Content-Type')).toBe('application/json; charset=utf-8');
    expect(await ask('GET', '/rpc/add_them?a=1&b=2')).toMatchObject({ status: 200, text: '3' });
  });

  test('values and names that are SQL stay values and names', async () => {
    const name = `'; drop table api."user"; -- $1 \\ " ${uniqueName('x')}`;
    const created = await ask('POST', '/user', { body: { name }, headers: { Prefer: 'return=representation' } });
    expect(created.status).toBe(201);
    const found = await ask('GET', `/user?select=name&name=eq.${encodeURIComponent(name)}`);
    expect(found.json).toEqual([{ name }]);
    const aliased = await ask('GET', `/user?select=${encodeURIComponent(`"a';--":name`)}&id=eq.1`);
    expect(aliased.json).toEqual([{ "a';--": 'Ada' }]);
  });

  test('a post is written, read, published, changed and deleted by its owner alone', async () => {
    const [ann, bob] = [await newUser('Ann'), await newUser('Bob')];
    const title = uniqueName('title');
    const mine = { token: ann.token };
    const others = { token: bob.token };
    const shown = { Prefer: 'return=representation' };
    const titled = `/post?title=eq.${title}&select=title,body,published,owner`;
    const post = { title, body: 'a draft', published: false, owner: `blog_user_${ann.id}` };

    expect(await ask('POST', '/post', { ...mine, body: { title, body: 'a draft' } })).toMatchObject({
      status: 201,
      text: '',
    });
    expect((await ask('GET', titled, mine)).json).toEqual([post]);
    expect((await ask('GET', titled, others)).json).toEqual([]);
    expect((await ask('GET', titled)).json).toEqual([]);

    const published = await ask('PATCH', `/post?title=eq.${title}`, { ...mine, body: { published: true } });
    expect(published).toMatchObject({ status: 204, text: '' });
    expect((await ask('GET', titled, others)).json).toEqual([{ ...post, published: true }]);
    expect((await ask('GET', titled)).json).toEqual([{ ...post, published: true }]);

    const taken = await ask('PATCH', `/post?title=eq.${title}`, { ...others, body: { body: 'taken' }, headers: shown });
    expect(taken).toMatchObject({ status: 200, json: [] });
    const removed = await ask('DELETE', `/post?title=eq.${title}`, { ...others, headers: shown });
    expect(removed).toMatchObject({ status: 200, json: [] });
    expect((await ask('PATCH', `/post?title=eq.${title}`, { ...others, body: { body: 'x' } })).status).toBe(204);
    expect((await ask('GET', titled)).json).toEqual([{ ...post, published: true }]);

    const changed = await ask('PATCH', titled, { ...mine, body: { body: 'better' }, headers: shown });
    expect(changed).toMatchObject({ status: 200, json: [{ ...post, body: 'better', published: true }] });
    expect(await ask('DELETE', `/post?title=eq.${title}`, mine)).toMatchObject({ status: 204, text: '' });
    expect((await ask('GET', titled, mine)).json).toEqual([]);
  });

  test('nobody posts in another’s name', async () => {
    const [cat, dan] = [await newUser('Cat'), await newUser('Dan')];
    const forged = { title: 'forged', owner: `blog_user_${dan.id}`, user_id: dan.id };
    const asAnother = await ask('POST', '/post', { token: cat.token, body: forged });
    expect(asAnother).toMatchObject({ status: 403, json: { code: '42501' } });
    const asAuthor = await ask('POST', '/post', { token: cat.token, body: { title: 'forged', user_id: dan.id } });
    expect(asAuthor).toMatchObject({ status: 400, json: { code: '23514' } });
    expect((await ask('GET', '/post?title=eq.forged', { token: dan.token })).json).toEqual([]);
  });
});
