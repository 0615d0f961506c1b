import { expect, test } from 'vitest';
import { claimAt, parseClaimPath } from '../../shared/config/claim-path.ts';
import { type Config, resolveConfig } from '../../shared/config/resolve.ts';
import { rolePathWarnings } from './role-path.ts';

function configOf(path: string): Config {
  const { config } = resolveConfig({ env: { PGRST_JWT_ROLE_CLAIM_KEY: path } });
  if (config === null) throw new Error('no configuration');
  return config;
}

const warnings = (path: string) => rolePathWarnings(configOf(path));

test.each(['$.role', '$["a"][0]', '$.r[?@ == "x"]'])('%s is fine', (path) => {
  expect(warnings(path)).toEqual([]);
});

test.each(['role.other', '.role##', '$.my_role;;domain', '@@.role', '1234', '.role[?(@ =)]'])(
  '%s is refused',
  (path) => {
    expect(resolveConfig({ env: { PGRST_JWT_ROLE_CLAIM_KEY: path } }).errors).toEqual([
      `PGRST_JWT_ROLE_CLAIM_KEY is ${JSON.stringify(path)}: it must be a path like $.role.`,
    ]);
  },
);

test.each([
  ['.roles.user_role', '$.roles.user_role', { roles: { user_role: 'x' } }],
  ['."https://a.b/c"[0].v', '$["https://a.b/c"][0].v', { 'https://a.b/c': [{ v: 'x' }] }],
  ['.r[?(@ == "x")]', '$.r[?@ == "x"]', { r: ['w', 'x'] }],
  ['.r[?(@ != "w")]', '$.r[?@ != "w"]', { r: ['w', 'x'] }],
  ['.r[?(@ ^== "x.")]', '$.r[?search(@, "^x\\\\.")]', { r: ['xy', 'x.'] }],
  ['.r[?(@ ==^ "(x")]', '$.r[?search(@, "\\\\(x$")]', { r: ['x', '(x'] }],
  ['.r[?(@ *== "x")]', '$.r[?search(@, "x")]', { r: ['w', 'axb'] }],
])('%s is in the old form: the warning says how it is written now', (old, path, claims) => {
  expect(warnings(old)).toEqual([expect.stringContaining(`As JSONPath it is ${path}.`)]);
  const [before, after] = [parseClaimPath(old), parseClaimPath(path)];
  if (before === null || after === null) throw new Error('not a path');
  expect(claimAt(after, claims)).toBe(claimAt(before, claims));
  expect(claimAt(after, claims)).not.toBeNull();
});
