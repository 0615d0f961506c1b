/** Requests as fast-check draws them, shrinks them and shows them. */
import type fc from 'fast-check';
import type { Schema } from '../../shared/snapshot/schema.ts';
import { Choices, choices } from './choices.ts';
import { mangled } from './mangle.ts';
import { RequestWriter, type WholeRequest, withValues } from './request.ts';
import { drawnValues } from './words.ts';

/** Requests for a schema; one in so many is mangled. */
export const requestsFor = (schema: Schema, mangledOneIn: number): fc.Arbitrary<WholeRequest> =>
  choices.map((numbers) => {
    const drawn = new Choices(numbers);
    const values = drawnValues(new Choices(numbers.toReversed()), null);
    const raw = withValues(new RequestWriter(drawn, schema).write(), values);
    return drawn.oneIn(mangledOneIn) ? mangled(drawn, raw) : raw;
  });

/** The same requests with two sets of values, of which each has a mark in it. */
export const pairsFor = (schema: Schema): fc.Arbitrary<readonly [WholeRequest, WholeRequest]> =>
  choices.map((numbers) => {
    const drawn = new Choices(numbers);
    const template = new RequestWriter(drawn, schema).write();
    const one = drawnValues(new Choices(numbers.toReversed()), { text: 'kanarienvogel', digits: '747474' });
    const other = drawnValues(drawn, { text: 'wellensittich', digits: '838383' });
    return [withValues(template, one), withValues(template, other)];
  });

/** What is in the first request's values. */
export const MARK = /kanarienvogel|747474/;
