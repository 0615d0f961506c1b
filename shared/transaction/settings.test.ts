import { expect, test } from 'vitest';
import { SettingsWriter, type TransactionSettings } from './settings.ts';

const writer = new SettingsWriter({
  dbSchemas: ['api'],
  dbExtraSearchPath: ['public', 'EXTRA "x'],
  appSettings: [['app.settings.a', '1']],
});

const plain: TransactionSettings = {
  schema: 'api',
  role: 'alice',
  roleSettings: [],
  claims: '{"role":"alice"}',
  method: 'GET',
  path: '/user',
  headers: '{}',
  cookies: '{}',
  timezone: null,
  functionSettings: [],
  readOnly: false,
};

/** The settings in the order in which they are set: names that are parameters are looked up. */
function inOrder(settings: TransactionSettings): readonly (readonly [string, string])[] {
  const { text, parameters } = writer.write(settings);
  const value = (token: string): string =>
    token.startsWith('$') ? (parameters[Number(token.slice(1)) - 1] ?? '?') : token.slice(1, -1);
  return [...text.matchAll(/set_config\(([^,]+), ([^,]+), true\)/g)].map(([, name, to]) => [
    value(name ?? ''),
    value(to ?? ''),
  ]);
}

test('the order is that of PostgREST: role settings before the role, functions and app settings after the request', () => {
  const settings = {
    ...plain,
    roleSettings: [['statement_timeout', '5s']] as const,
    functionSettings: [['statement_timeout', '1s']] as const,
    timezone: 'UTC',
    readOnly: true,
  };
  expect(inOrder(settings)).toEqual([
    ['transaction_read_only', 'on'],
    ['search_path', '"api", "public", "EXTRA ""x"'],
    ['statement_timeout', '5s'],
    ['role', 'alice'],
    ['request.jwt.claims', '{"role":"alice"}'],
    ['request.method', 'GET'],
    ['request.path', '/user'],
    ['request.headers', '{}'],
    ['request.cookies', '{}'],
    ['timezone', 'UTC'],
    ['statement_timeout', '1s'],
    ['app.settings.a', '1'],
  ]);
});

test('a schema that is not configured is quoted too', () => {
  expect(writer.write({ ...plain, schema: 'a"b' }).parameters[0]).toBe('"a""b", "public", "EXTRA ""x"');
});

test('equal shapes have equal text, and no value is in it', () => {
  const one = writer.write(plain);
  const other = writer.write({ ...plain, schema: 'x', role: `'; drop table t; --`, path: '/x', claims: '{}' });
  expect(other.text).toBe(one.text);
  expect(writer.write({ ...plain, timezone: 'UTC' }).text).not.toBe(one.text);
});

test('every call is qualified, and every setting ends with the transaction', () => {
  const { text } = writer.write({ ...plain, timezone: 'UTC', readOnly: true });
  const calls = text.split('set_config').length - 1;
  expect(text.match(/pg_catalog\.set_config\([^,()]+, [^,()]+, true\)/g)).toHaveLength(calls);
});

test('an empty name in db-extra-search-path stays in the list', () => {
  const gaps = new SettingsWriter({ dbSchemas: ['api'], dbExtraSearchPath: ['public', '', 'x'], appSettings: [] });
  expect(gaps.write(plain).parameters[0]).toBe('"api", "public", "", "x"');
});
