import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createDatabase, type TestDatabase } from '../../test/postgres.ts';
import { qualified, quoteIdent, quoteLiteral, quoteQualified } from './identifiers.ts';

let database: TestDatabase;

beforeAll(async () => {
  database = await createDatabase('quoting');
});

afterAll(async () => {
  await database?.drop();
});

const name = fc
  .oneof(
    fc.string({ unit: 'grapheme', minLength: 1, maxLength: 10 }),
    fc.array(fc.constantFrom('"', "'", '\\', '$', '--', ';', 'E'), { minLength: 1 }).map((parts) => parts.join('')),
  )
  .filter((text) => text.isWellFormed() && !text.includes('\0') && Buffer.byteLength(text) <= 63);

test.each(['on', 'off'])('names are themselves again, with standard_conforming_strings %s', async (conforming) => {
  await database.sql.unsafe(`set standard_conforming_strings = ${conforming}`);
  await fc.assert(
    fc.asyncProperty(name, async (text) => {
      const [row] = await database.sql.unsafe(`select ${quoteLiteral(text)} as ${quoteIdent(text)}`).values();
      expect(row?.[0]).toBe(text);
      const [named] = await database.sql
        .unsafe(`select to_json(t)::text from (select 1 as ${quoteIdent(text)}) t`)
        .values();
      expect(JSON.parse(String(named?.[0]))).toEqual({ [text]: 1 });
    }),
    { numRuns: 50 },
  );
});

test('a name ends at a NUL, and a schema may be missing', () => {
  expect(quoteIdent('a"\0b')).toBe('"a"""');
  expect(quoteLiteral("a'\0b")).toBe("'a'''");
  expect(quoteQualified(qualified('s', 't'))).toBe('"s"."t"');
  expect(quoteQualified(qualified('', 't'))).toBe('"t"');
});

test('a name without characters is refused as the server would refuse it', async () => {
  const answered = await database.sql.unsafe('select 1 as ""').catch((error: unknown) => error);
  const message = 'zero-length delimited identifier at or near """"';
  expect(answered).toMatchObject({ code: '42601', message });
  for (const name of ['', '\0a'])
    expect(() => quoteIdent(name)).toThrow(expect.objectContaining({ code: '42601', message }));
});
