import { expect, test } from 'vitest';
import { callsFunctions } from './code.ts';
import { embed, eq, get, office, select, where } from './office.fixture.ts';
import { planRequest } from './plan.ts';

const calls = (query: Parameters<typeof get>[1]): boolean => {
  const plan = planRequest(get('clients', query), office());
  if (plan.kind !== 'read') throw new Error(`a ${plan.kind} plan`);
  return callsFunctions(plan.read, plan.handler);
};

const filter = where('id', eq('1'));
const order = (name: string) =>
  [{ path: [], terms: [{ kind: 'field', field: { name, path: [] }, direction: null, nulls: null }] }] as const;

test('columns call nothing, wherever they stand', () => {
  expect(calls({})).toBe(false);
  expect(calls({ select: [select('id'), select('name', { cast: 'text' })] })).toBe(false);
  expect(calls({ select: [select('*'), embed('projects', [select('name')])] })).toBe(false);
  expect(calls({ select: [select('id')], filters: [{ path: [], filter }], order: order('id') })).toBe(false);
});

test('a name that is no column may be a function', () => {
  expect(calls({ select: [select('computed')] })).toBe(true);
  expect(calls({ select: [embed('projects', [select('computed')])] })).toBe(true);
  expect(calls({ select: [embed('projects', [select('id'), embed('main_client', [select('id')])])] })).toBe(true);
  expect(calls({ filters: [{ path: [], filter: where('computed', eq('1')) }] })).toBe(true);
  expect(calls({ order: order('computed') })).toBe(true);
});

test('so may what makes the body', () => {
  const plan = planRequest(get('clients'), office());
  if (plan.kind !== 'read') throw new Error(`a ${plan.kind} plan`);
  const own = { schema: 'test', name: 'as_html' };
  expect(callsFunctions(plan.read, { kind: 'custom', function: own, target: null })).toBe(true);
});
