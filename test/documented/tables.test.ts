/** What PostgREST's documentation says of tables and views, computed fields, its URL grammar and its representations: the examples. */
import { describe, expect, test } from 'vitest';
import { documented } from './server.ts';

const { get, ask } = documented(String.raw`
  create type coordinates as (lat decimal(8,6), long decimal(9,6));
  create table people (
    id int primary key, first_name text, last_name text, age int, student bool, grade int, height int, salary numeric(10,2),
    birth_date date, json_data json, my_tsv tsvector, my_text_column text, my_json_column json, tags text[], category text,
    job text
  );
  create function full_name(people) returns text language sql stable as $$ select $1.first_name || ' ' || $1.last_name $$;
  create table countries (id int primary key, location coordinates, languages text[]);
  create table survey (id int primary key, age_range int4range);
  create table stories (id int primary key, pinned bool, published timestamptz);
  create view fresh_stories as select * from stories where pinned = true or published > now() - interval '1 day'
    order by pinned desc, published desc;
  create table employees (id serial primary key, name text unique, salary money);
  create table "Order Items" (id int primary key, "Unit Price" int);
  create table vulnerabilities (id int primary key, "information.cpe" text);
  create table marks (id int primary key, name text);
  create table "موارد" (id int primary key, "اسم" text);
  create table products (sku text primary key, name text, price int);
  create table projects (id int primary key, name text, client_id int, another_col text);

  insert into people (id, first_name, last_name, age, student, grade, height, salary, json_data, my_tsv, my_text_column, my_json_column, tags, job) values
    (1, 'John', 'Doe', 30, false, 80, 170, 90000, '{"blood_type": "A-", "age": 25, "phones": [{"country_code": "61", "number": "917-929-5745"}]}',
     to_tsvector('french', 'C''est amusant'), 'Il est amusant', '{"a": "The Fat Cats"}', '{example,new}', null),
    (2, 'Jane', 'Doe', 12, true, 95, 150, 120000, '{"blood_type": "O+", "age": 35, "phones": [{"country_code": "43", "number": "512-446-4988"}]}',
     to_tsvector('english', 'The Fat Cats'), 'x', '{"a": "dogs"}', '{example}', null),
    (3, 'Samuel', 'Beckett', null, true, 91, null, null, null, null, null, null, null, 'novelist'),
    (4, 'Flann', 'O''Brien', 14, true, 92, 180, 1, '{"blood_type": "A-", "age": 20}', null, null, null, '{}', 'novelist');
  insert into countries values (4, '(10.5,20)', '{fr}'), (5, '(19.741755,-155.844437)', '{en,haw}');
  insert into survey values (1, '[1,18)'), (2, '[22,40)'), (3, '[19,20)');
  insert into stories values (1, true, '2000-01-01'), (2, false, '2000-01-01'), (3, false, now());
  insert into employees (name, salary) values ('Hebdon,John', 36000), ('Williams,Mary', 40000), ('Plain', 1);
  insert into "Order Items" values (1, 100), (2, 300);
  insert into vulnerabilities values (1, 'MS-1'), (2, 'other');
  insert into marks values (1, 'Quote:"'), (2, 'Backslash:\'), (3, 'x');
  insert into "موارد" values (1, 'اب');
  insert into products values ('CL2031', 'T-shirt', 30);
  insert into projects values (11, 'OSX', 1, 'val'), (12, 'ProjectX', null, null);
`);

/** The ids of people that a filter leaves. */
const filters: readonly (readonly [query: string, ids: readonly number[]])[] = [
  ['age=lt.13', [2]],
  ['age=gte.18&student=is.false', [1]],
  ['age=not.eq.12', [1, 4]],
  ['not.and=(age.gte.13,age.lte.17)', [1, 2]],
  ['or=(age.lt.13,age.gt.21)', [1, 2]],
  ['grade=gte.90&student=is.true&or=(age.eq.14,not.and(age.gte.11,age.lte.17))', [4]],
  ['last_name=like(any).{O*,B*}', [3, 4]],
  ['last_name=like(all).{O*,*n}', [4]],
  ['last_name=ilike.o*', [4]],
  ['last_name=match.^O', [4]],
  ['last_name=imatch.^[ob]', [3, 4]],
  ['age=in.(12,14)', [2, 4]],
  ['last_name=in.("O\'Brien","hi,there")', [4]],
  ['age=is.null', [3]],
  ['age=is.not_null', [1, 2, 4]],
  ['age=isdistinct.12', [1, 3, 4]],
  ['my_tsv=fts(french).amusant', [1]],
  ['my_tsv=plfts.The%20Fat%20Cats', [2]],
  ['my_tsv=not.phfts(english).The%20Fat%20Cats', [1]],
  ['my_tsv=not.wfts(french).amusant', [2]],
  ['my_text_column=fts(french).amusant', [1]],
  ['my_json_column=not.phfts(english).The%20Fat%20Cats', [2]],
  ['tags=cs.{example,new}', [1]],
  ['tags=cs.{example, new}', [1]],
  ['tags=cd.{example}', [2, 4]],
  ['tags=ov.{new,other}', [1]],
  ['json_data->>blood_type=eq.A-', [1, 4]],
  ['json_data->age=gt.20', []],
  ['full_name=fts.Beckett', [3]],
  ['full_name=eq.Jane Doe', [2]],
];

test.each(filters)('people?%s', async (query, ids) => {
  const { status, json, text } = await get(`/people?select=id&order=id&${query}`);
  // json has no comparison: the database says so.
  if (query.startsWith('json_data->age')) expect(text).toContain('operator does not exist: json > unknown');
  else expect({ status, json }).toEqual({ status: 200, json: ids.map((id) => ({ id })) });
});

/** Each example with its result, as text. */
const examples: Readonly<Record<string, readonly (readonly [target: string, result: string])[]>> = {
  'ranges and views': [
    ['/survey?select=id&or=(age_range.adj."[18,22)",age_range.cs."[30,35]")&order=id', '[{"id":1}, \n {"id":2}]'],
    ['/survey?select=id&age_range=sl.(20,30)&order=id', '[{"id":1}, \n {"id":3}]'],
    ['/survey?select=id&age_range=sr.[1,20)', '[{"id":2}]'],
    ['/survey?select=id&age_range=nxr.(1,20)&order=id', '[{"id":1}, \n {"id":3}]'],
    ['/survey?select=id&age_range=nxl.[20,30)', '[{"id":2}]'],
    ['/survey?select=id&age_range=ov.[17,19)', '[{"id":1}]'],
    ['/fresh_stories?select=id', '[{"id":1}, \n {"id":3}]'],
  ],
  'vertical filtering': [
    [
      '/people?select=first_name,age&id=lt.3&order=id',
      '[{"first_name":"John","age":30}, \n {"first_name":"Jane","age":12}]',
    ],
    ['/people?select=fullName:full_name,birthDate:birth_date&id=eq.1', '[{"fullName":"John Doe","birthDate":null}]'],
    [
      '/people?select=id,json_data->>blood_type,json_data->phones&id=eq.1',
      '[{"id":1,"blood_type":"A-","phones":[{"country_code": "61", "number": "917-929-5745"}]}]',
    ],
    ['/people?select=id,json_data->phones->0->>number&id=eq.2', '[{"id":2,"number":"512-446-4988"}]'],
    ['/people?select=id,json_data->blood_type&json_data->>blood_type=eq.O%2B', '[{"id":2,"blood_type":"O+"}]'],
    [
      '/people?select=id,json_data->age&order=json_data->>age.desc&json_data=not.is.null',
      '[{"id":2,"age":35}, \n {"id":1,"age":25}, \n {"id":4,"age":20}]',
    ],
    [
      '/countries?select=id,location->>lat,location->>long,primary_language:languages->0&location->lat=gte.19',
      '[{"id":5,"lat":"19.741755","long":"-155.844437","primary_language":"en"}]',
    ],
    ['/countries?select=id&order=location->>lat.desc', '[{"id":5}, \n {"id":4}]'],
    [
      '/people?select=full_name,salary::text&id=lt.3&order=id',
      '[{"full_name":"John Doe","salary":"90000.00"}, \n {"full_name":"Jane Doe","salary":"120000.00"}]',
    ],
  ],
  ordering: [
    ['/people?select=id&order=age.desc,height.asc', '[{"id":3}, \n {"id":1}, \n {"id":4}, \n {"id":2}]'],
    ['/people?select=id&order=age', '[{"id":2}, \n {"id":4}, \n {"id":1}, \n {"id":3}]'],
    ['/people?select=id&order=age.nullsfirst', '[{"id":3}, \n {"id":2}, \n {"id":4}, \n {"id":1}]'],
    ['/people?select=id&order=age.desc.nullslast', '[{"id":1}, \n {"id":4}, \n {"id":2}, \n {"id":3}]'],
    ['/people?select=full_name&order=full_name.desc&limit=1', '[{"full_name":"Samuel Beckett"}]'],
  ],
  'names and values with reserved characters': [
    ['/%D9%85%D9%88%D8%A7%D8%B1%D8%AF', '[{"id":1,"اسم":"اب"}]'],
    ['/%D9%85%D9%88%D8%A7%D8%B1%D8%AF?اسم=eq.اب&select=اسم', '[{"اسم":"اب"}]'],
    ['/Order%20Items?Unit%20Price=lt.200', '[{"id":1,"Unit Price":100}]'],
    [
      '/employees?select=name&name=in.(%22Hebdon,John%22,%22Williams,Mary%22)&order=name',
      '[{"name":"Hebdon,John"}, \n {"name":"Williams,Mary"}]',
    ],
    ['/vulnerabilities?select=id&%22information.cpe%22=like.*MS*', '[{"id":1}]'],
    ['/marks?select=id&name=in.(%22Quote:%5C%22%22,%22Backslash:%5C%5C%22)&order=id', '[{"id":1}, \n {"id":2}]'],
  ],
};

describe.each(Object.entries(examples))('%s', (_, list) => {
  test.each(list)('%s', async (target, result) => {
    const { status, text } = await get(target);
    expect({ status, text }).toEqual({ status: 200, text: result });
  });
});

test('a plan shows that an index is used', async () => {
  const { text } = await get('/employees?id=eq.1', { Accept: 'application/vnd.pgrst.plan' });
  expect(text).toContain('"PGRST107"'); // until db-plan-enabled is set
});

describe('writing', () => {
  const rows = (target: string) => get(target).then(({ json }) => json);

  test('one row as a form, many as CSV and JSON', async () => {
    const form = {
      headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
      body: 'id=50&first_name=John+Doe&age=50',
    };
    const csv = { headers: { 'Content-Type': 'text/csv' }, body: 'id,first_name,age\n51,J Doe,62\n52,,NULL' };
    for (const given of [
      form,
      csv,
      {
        body: [
          { id: 53, first_name: 'Janus' },
          { id: 54, first_name: 'x' },
        ],
      },
    ]) {
      const { status, text } = await ask('POST', '/people', given);
      expect({ status, text }).toEqual({ status: 201, text: '' });
    }
    expect(await rows('/people?select=id,first_name,age&id=gte.50&order=id')).toEqual([
      { id: 50, first_name: 'John Doe', age: 50 },
      { id: 51, first_name: 'J Doe', age: 62 },
      { id: 52, first_name: '', age: null },
      { id: 53, first_name: 'Janus', age: null },
      { id: 54, first_name: 'x', age: null },
    ]);
    const columns = await ask('POST', '/people?columns=id,first_name', {
      body: { id: 55, first_name: 'y', extra: '...' },
    });
    expect(columns.status).toBe(201);
    const update = await ask('PATCH', '/people?age=gt.49', { body: { category: 'old' } });
    expect(update.status).toBe(204);
    const removed = await ask('DELETE', '/people?id=gte.50&select=id,category&order=id', {
      headers: { Prefer: 'return=representation' },
    });
    expect(removed.json).toEqual([50, 51, 52, 53, 54, 55].map((id) => ({ id, category: id < 52 ? 'old' : null })));
  });

  test('upserts by the primary key, by a unique column, and one row by PUT', async () => {
    const merge = { Prefer: 'resolution=merge-duplicates' };
    const products = [
      { sku: 'CL2031', name: 'Existing T-shirt', price: 35 },
      { sku: 'AC1022', name: 'New Cap', price: 30 },
    ];
    expect((await ask('POST', '/products', { headers: merge, body: products })).status).toBe(201);
    expect(await rows('/products?order=price.desc')).toEqual(products);
    const surrogate = await ask('POST', '/employees?columns=id,name,salary&select=id,name', {
      headers: { Prefer: 'resolution=merge-duplicates, missing=default, return=representation' },
      body: [
        { id: 1, name: 'Existing employee 1', salary: 30000 },
        { name: 'New employee 3', salary: 50000 },
      ],
    });
    expect(surrogate.json).toEqual([
      { id: 1, name: 'Existing employee 1' },
      { id: expect.any(Number), name: 'New employee 3' },
    ]);
    const byName = [
      { name: 'Existing employee 1', salary: 40000 },
      { name: 'New employee 5', salary: 60000 },
    ];
    expect((await ask('POST', '/employees?on_conflict=name', { headers: merge, body: byName })).status).toBe(201);
    expect(await rows('/employees?select=salary&name=in.("Existing employee 1","New employee 5")&order=name')).toEqual([
      { salary: '$40,000.00' },
      { salary: '$60,000.00' },
    ]);
    const put = { body: { id: 4, name: 'Sara B.', salary: 60000 } };
    expect((await ask('PUT', '/employees?id=eq.4', put)).status).toBe(204);
    expect(await rows('/employees?id=eq.4')).toEqual([{ id: 4, name: 'Sara B.', salary: '$60,000.00' }]);
  });
});

describe('representations', () => {
  test('a single object, or why there is none', async () => {
    const singular = { Accept: 'application/vnd.pgrst.object+json' };
    expect((await get('/projects?id=eq.11&select=id', singular)).text).toBe('{"id":11}');
    const none = await get('/projects?id=eq.1', singular);
    expect({ status: none.status, json: none.json }).toEqual({
      status: 406,
      json: {
        code: 'PGRST116',
        message: 'Cannot coerce the result to a single JSON object',
        details: 'The result contains 0 rows',
        hint: null,
      },
    });
  });

  test('without nulls', async () => {
    const { text } = await get('/projects?id=gt.10&order=id', {
      Accept: 'application/vnd.pgrst.array+json;nulls=stripped',
    });
    expect(text).toBe('[{"id":11,"name":"OSX","client_id":1,"another_col":"val"},{"id":12,"name":"ProjectX"}]');
  });

  test('unknown media types are refused', async () => {
    const { status, text } = await get('/people', { Accept: 'unknown/unknown' });
    expect(status).toBe(406);
    expect(text).toBe(
      '{"code":"PGRST107","details":null,"hint":null,"message":"None of these media types are available: unknown/unknown"}',
    );
  });

  test('OPTIONS tells what can be done', async () => {
    const { status, headers } = await ask('OPTIONS', '/people');
    expect([status, headers.get('allow')]).toEqual([200, 'OPTIONS,GET,HEAD,POST,PUT,PATCH,DELETE']);
    expect((await get('/people?limit=1')).headers.get('vary')).toBe('Accept, Prefer, Range');
  });
});
