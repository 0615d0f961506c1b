import { expect, test } from 'vitest';
import { resolveConfig } from '../../shared/config/resolve.ts';
import { contentOf } from '../../shared/snapshot/version.ts';
import { createDatabase } from '../../test/postgres.ts';
import { SnapshotSource } from '../snapshot/source.ts';
import { parseConnectionString } from '../wire/index.ts';

const script = `
create schema api;
create type api.mood as enum ('a secret label');
create table api.note (id int, mood api.mood, code varchar(7));
comment on table api.note is 'a secret comment';
comment on column api.note.id is 'another secret comment';
`;

test('facts come with every load, and nothing of them is in the snapshot', async () => {
  const database = await createDatabase('facts', script);
  const { config } = resolveConfig({ env: { PGRST_DB_URI: 'postgresql://', PGRST_DB_SCHEMAS: 'api' } });
  if (!config) throw new Error('no configuration');
  const source = new SnapshotSource({ connection: parseConnectionString(database.uri, {}), config: () => config });
  const note = { schema: 'api', name: 'note' };
  try {
    expect(await source.start(config)).toBe(true);
    const before = source.current();
    expect(before?.documentFacts?.table(note)).toEqual({
      comment: 'a secret comment',
      columns: new Map([
        ['id', { comment: 'another secret comment', maxLength: null, labels: [] }],
        ['mood', { comment: null, maxLength: null, labels: ['a secret label'] }],
        ['code', { comment: null, maxLength: 7, labels: [] }],
      ]),
    });
    expect(JSON.stringify(before?.snapshot)).not.toContain('secret');

    await database.sql`comment on table api.note is 'changed'`;
    expect(await source.reload()).toBe(true);
    const after = source.current();
    expect(after?.documentFacts?.table(note).comment).toBe('changed');
    // No worker has to fetch the snapshot again for it.
    expect(contentOf(after?.snapshot.version ?? '')).toBe(contentOf(before?.snapshot.version ?? 'none'));
  } finally {
    await source.close();
    await database.drop();
  }
});
