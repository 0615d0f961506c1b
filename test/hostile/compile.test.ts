/** Random and hostile requests up to their SQL: what is thrown, and what of a request the text depends on. */
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { MessageCheck } from '../../pooler/statements/check.ts';
import { KnownStatements } from '../../pooler/statements/known.ts';
import type { Schema } from '../../shared/snapshot/schema.ts';
import { messageFrom } from '../message.ts';
import { MARK, pairsFor, requestsFor } from './arbitrary.ts';
import { type Outcome, outcomeOf } from './outcome.ts';
import { PROPERTY, runs } from './runs.ts';
import { createHostileDatabase, type HostileDatabase } from './schema.ts';

let hostile: HostileDatabase | undefined;
let schema: Schema;
/** The same with a maximum of rows, which makes other counts. */
let limited: Schema;

beforeAll(async () => {
  hostile = await createHostileDatabase();
  schema = await hostile.schema();
  limited = await hostile.schema({ PGRST_DB_MAX_ROWS: '7' });
});

afterAll(() => hostile?.drop());

test('nothing is thrown but errors of ours, and the pooler takes every message for the worker’s', PROPERTY, () => {
  const parameters = runs('requests are parsed, planned and compiled', 1);
  const kinds = new Set<Outcome['kind']>();
  const checks = [schema, limited].map(({ snapshot }) => new MessageCheck(new KnownStatements(snapshot)));
  const read = new Set<string>();
  fc.assert(
    fc.property(requestsFor(schema, 2), fc.boolean(), (raw, isLimited) => {
      const outcome = outcomeOf(raw, isLimited ? limited : schema);
      kinds.add(outcome.kind);
      if (outcome.kind !== 'statements') return;
      const check = checks[isLimited ? 1 : 0];
      const message = messageFrom(outcome, (isLimited ? limited : schema).snapshot, null, 'anon');
      expect(check?.refusal(message), JSON.stringify(message)).toBeNull();
      for (const { text } of message.statements) {
        const kind = check?.statements.kindOf(text);
        if (typeof kind === 'object') read.add(kind.kind);
      }
    }),
    parameters,
  );
  // It was not about refusals alone.
  if (parameters.numRuns < 1000) return;
  expect([...kinds].sort()).toEqual(['none', 'refused', 'statements']);
  expect([...read].sort()).toEqual(['call', 'estimate', 'guard', 'read', 'write']);
});

/** The statements' texts, or a refusal's code; null where the values decide, of two ranges that do not meet. */
function textsOf(outcome: Outcome): readonly string[] | string | null {
  if (outcome.kind === 'statements') return outcome.statements.map((s) => s.text);
  if (outcome.kind === 'none') return [];
  return outcome.error.code === 'PGRST103' ? null : outcome.error.code;
}

test('requests that differ by their values have the same text, and no value is in it', PROPERTY, () => {
  const parameters = runs('requests are compiled with two sets of values', 0.2);
  let compared = 0;
  fc.assert(
    fc.property(pairsFor(schema), fc.boolean(), ([one, other], isLimited) => {
      const texts = textsOf(outcomeOf(one, isLimited ? limited : schema));
      const others = textsOf(outcomeOf(other, isLimited ? limited : schema));
      if (texts === null || others === null) return;
      expect(others).toEqual(texts);
      if (typeof texts === 'string') return;
      compared++;
      for (const text of texts) expect(text).not.toMatch(MARK);
    }),
    parameters,
  );
  if (parameters.numRuns >= 1000) expect(compared).toBeGreaterThan(parameters.numRuns / 4);
});
