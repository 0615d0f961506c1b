import { expect, test } from 'vitest';
import { createDatabase } from './postgres.ts';

test('a test gets a PostgreSQL 18 database of its own, in UTF-8, with its script run', async () => {
  const database = await createDatabase('own', "create table t (word text); insert into t values (U&'\\00e9')");
  const [row] = await database.sql`
    select current_setting('server_version_num')::int / 10000 as major, current_database() as name,
      (select word from public.t) as word, current_setting('server_encoding') as encoding`;
  expect(row).toEqual({ major: 18, name: database.name, word: 'é', encoding: 'UTF8' });
  await database.drop();
  await expect(createDatabase('bad', 'select 1; select nonsense')).rejects.toThrow('nonsense');
});
