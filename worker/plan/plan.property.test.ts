import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Schema } from '../../shared/snapshot/schema.ts';
import { ApiError } from '../error.ts';
import { parseRequest } from '../request/parse-request.ts';
import type { ApiRequest } from '../request/types.ts';
import { office, settings } from './office.fixture.ts';
import { planRequest } from './plan.ts';
import type { Plan, ReadPlan } from './types.ts';

const relation = fc.constantFrom(
  'clients',
  'projects',
  'tasks',
  'people',
  'people',
  'main_client',
  'client_id',
  'boss',
  'messages',
  'nothing',
);
const column = fc.constantFrom('id', 'name', 'client_id', 'color', 'data->a->>0', 'nothing', 'projects', 'p');

interface Item {
  readonly text: string;
}

const { items } = fc.letrec<{ items: string; item: Item }>((tie) => ({
  items: fc.array(tie('item'), { maxLength: 3 }).map((list) => list.map(({ text }) => text).join(',')),
  item: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.constantFrom('*', 'id', 'name', 'a:id', 'color', 'id.sum()', 'count()', 'data->a').map((text) => ({ text })),
    fc
      .tuple(
        fc.constantFrom('', 'p:', 'projects:', '...'),
        relation,
        fc.constantFrom('', '!inner', '!sender'),
        tie('items'),
      )
      .map(([before, name, hint, inside]) => ({ text: `${before}${name}${hint}(${inside})` })),
  ),
}));

// Few of the paths that are drawn lead anywhere.
const path = fc.oneof(
  { weight: 9, arbitrary: fc.constant('') },
  {
    weight: 1,
    arbitrary: fc
      .array(fc.oneof(relation, fc.constant('p')), { minLength: 1, maxLength: 2 })
      .map((names) => names.map((name) => `${name}.`).join('')),
  },
);

const parameter = fc.oneof(
  fc
    .tuple(path, column, fc.constantFrom('eq.1', 'is.null', 'not.is.null', 'fts.x'))
    .map(([p, c, v]) => `${p}${c}=${v}`),
  fc.tuple(path, column).map(([p, c]) => `${p}order=${c}.desc`),
  fc.tuple(path, fc.constantFrom('clients', 'p', 'nothing')).map(([p, r]) => `${p}order=${r}(id)`),
  fc.tuple(path, fc.nat(3)).map(([p, n]) => `${p}limit=${n}`),
  fc.tuple(path, column).map(([p, c]) => `${p}or=(${c}.eq.1,not.and(id.gt.2,projects.is.null))`),
);

const raw = fc.record({
  method: fc.constantFrom('GET', 'HEAD', 'POST', 'PATCH', 'DELETE', 'OPTIONS'),
  target: fc
    .tuple(
      fc.constantFrom('clients', 'projects', 'tasks', 'messages', 'people', 'todos', 'rpc/all_projects'),
      items,
      fc.array(parameter, { maxLength: 2 }),
    )
    .map(([name, select, parameters]) => `/${name}?${[`select=${select}`, ...parameters].join('&')}`),
  headers: fc.constant([['prefer', 'return=representation'] as const]),
  body: fc.constant(new TextEncoder().encode('{}')),
});

const schema = office();

function checkLevels(read: ReadPlan, depth: number): void {
  expect(read.depth).toBe(depth);
  expect(read.relationSelect.length).toBe(read.children.length);
  for (const [i, child] of read.children.entries()) {
    expect(child.relation.toParent).not.toBeNull();
    expect(read.relationSelect[i]?.alias).toBe(child.relation.aggregateAlias);
    checkLevels(child, depth + 1);
  }
}

function outcomeOf(request: ApiRequest, on: Schema): { readonly plan: Plan } | { readonly error: unknown } {
  try {
    return { plan: planRequest(request, on) };
  } catch (error) {
    return { error };
  }
}

it('every request that parses is planned or refused with an error of ours, always in the same way', () => {
  fc.assert(
    fc.property(raw, (request) => {
      let parsed: ApiRequest;
      try {
        parsed = parseRequest(request, settings);
      } catch (error) {
        expect(error).toBeInstanceOf(ApiError);
        return;
      }
      const before = structuredClone(parsed);
      const outcome = outcomeOf(parsed, schema);
      // A schema of its own has no caches yet.
      expect(outcomeOf(parsed, office())).toEqual(outcome);
      if ('error' in outcome) expect(outcome.error).toBeInstanceOf(ApiError);
      else if ('read' in outcome.plan) checkLevels(outcome.plan.read, 0);
      expect(parsed).toEqual(before);
    }),
    { numRuns: 3000 },
  );
});
