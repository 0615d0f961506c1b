import { describe, expect, test } from 'vitest';
import { parameters } from '../../shared/config/parameters.ts';
import { type Config, resolveConfig } from '../../shared/config/resolve.ts';
import { readConfigFile } from '../config/file.ts';
import { dumpConfig } from './dump-config.ts';
import { EXAMPLE } from './example.ts';

const fileOf = (text: string) => readConfigFile('x', { readFile: () => text, env: {} });

function configOf(text: string, env: Readonly<Record<string, string>> = {}): Config {
  const { config, errors } = resolveConfig({ env, file: fileOf(text) });
  if (config === null) throw new Error(errors.join('\n'));
  return config;
}

const lineOf = (text: string, name: string): string | undefined =>
  dumpConfig(configOf(text))
    .split('\n')
    .find((line) => line.startsWith(`${name} =`));

/** What PostgREST 16.2 prints without any configuration. */
const DEFAULTS = `admin-server-host = "!4"
admin-server-port = ""
admin-server-unix-socket = ""
admin-server-unix-socket-mode = "660"
client-error-verbosity = "verbose"
db-aggregates-enabled = false
db-anon-role = ""
db-channel = "pgrst"
db-channel-enabled = true
db-config = true
db-extra-search-path = "public"
db-hoisted-tx-settings = "statement_timeout,plan_filter.statement_cost_limit,default_transaction_isolation"
db-max-rows = ""
db-plan-enabled = false
db-pool = 10
db-pool-acquisition-timeout = 10
db-pool-automatic-recovery = true
db-pool-max-idletime = 30
db-pool-max-lifetime = 1800
db-pre-config = ""
db-pre-request = ""
db-prepared-statements = true
db-root-spec = ""
db-schemas = "public"
db-tx-end = "commit"
db-uri = "postgresql://"
jwt-aud = ""
jwt-cache-max-entries = 1000
jwt-role-claim-key = "$$.role"
jwt-secret = ""
jwt-secret-is-base64 = false
log-level = "error"
log-query = false
openapi-mode = "follow-privileges"
openapi-security-active = false
openapi-server-proxy-uri = ""
server-cors-allowed-origins = ""
server-host = "!4"
server-port = 3000
server-reuseport = false
server-timing-enabled = false
server-trace-header = ""
server-unix-socket = ""
server-unix-socket-mode = "660"
url-use-legacy-target-names = true
`;

test('the defaults are PostgREST’s, line by line', () => {
  expect(dumpConfig(configOf(''))).toBe(DEFAULTS);
});

describe('values', () => {
  test.each([
    ['db-schemas = "a,   b"', 'db-schemas', 'db-schemas = "a,b"'],
    ['db-extra-search-path = ""', 'db-extra-search-path', 'db-extra-search-path = ""'],
    ['db-max-rows = 5', 'db-max-rows', 'db-max-rows = 5'],
    ['max-rows = "5"', 'db-max-rows', 'db-max-rows = 5'],
    ['db-pool-timeout = 5', 'db-pool-max-idletime', 'db-pool-max-idletime = 5'],
    ['db-prepared-statements = "0"', 'db-prepared-statements', 'db-prepared-statements = false'],
    ['db-pre-request = "s.f"', 'db-pre-request', 'db-pre-request = "s.f"'],
    ['root-spec = "f"', 'db-root-spec', 'db-root-spec = "f"'],
    ['server-unix-socket-mode = "777"', 'server-unix-socket-mode', 'server-unix-socket-mode = "777"'],
    ['server-host = "::1"', 'admin-server-host', 'admin-server-host = "::1"'],
    ['app.settings.x = "a \\"b\\""', 'app.settings.x', 'app.settings.x = "a \\"b\\""'],
    ['app.settings.x = false', 'app.settings.x', 'app.settings.x = "Bool False"'],
    ['jwt-role-claim-key = "$$.a[0]"', 'jwt-role-claim-key', 'jwt-role-claim-key = "$$.a[0]"'],
    ['jwt-role-claim-key = ".a.b[1]"', 'jwt-role-claim-key', 'jwt-role-claim-key = ".\\"a\\".\\"b\\"[1]"'],
    [
      'jwt-role-claim-key = ".r[?(@ ^== \\"x\\")]"',
      'jwt-role-claim-key',
      'jwt-role-claim-key = ".\\"r\\"[?(@ ^== \\"x\\")]"',
    ],
  ])('%s', (text, name, line) => {
    expect(lineOf(text, name)).toBe(line);
  });

  test('a secret in base64 is in base64 as everybody writes it', () => {
    const bytes = Uint8Array.from({ length: 32 }, (_, i) => 255 - i);
    const text = Buffer.from(bytes).toString('base64');
    const variant = text.replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '.');
    expect(lineOf(`jwt-secret = "${variant}"\njwt-secret-is-base64 = true`, 'jwt-secret')).toBe(
      `jwt-secret = "${text}"`,
    );
  });
});

test('our own parameters appear where they are set, and the hidden ones never', () => {
  const text = 'edgerest-queue-length = 5\ninternal-schema-cache-query-sleep = 1\n';
  const added = dumpConfig(configOf(text))
    .split('\n')
    .filter((line) => !DEFAULTS.includes(line));
  expect(added).toEqual(['edgerest-queue-length = 5']);
});

/** The example with every line in effect. */
const everything = EXAMPLE.replace(/^# (?=[a-z0-9.-]+ = )/gm, '');

test.each([
  ['nothing', ''],
  ['everything', everything],
  ['quotes', 'app.settings.x = "\\"a\\" b"\njwt-role-claim-key = ".r[?(@ == \\"x\\")]"'],
])('what was printed is read as what was printed: %s', (_, text) => {
  const dumped = dumpConfig(configOf(text));
  expect(dumpConfig(configOf(dumped))).toBe(dumped);
});

test('the example names every parameter of PostgREST, and its defaults are the defaults', () => {
  expect(fileOf(EXAMPLE).size).toBe(0);
  const file = fileOf(everything);
  const names = Object.values(parameters)
    .map((parameter) => parameter.name)
    .filter((name) => !name.startsWith('edgerest-') && !name.startsWith('internal-'));
  expect([...file.keys()].sort()).toEqual([...names, 'app.settings.name'].sort());
  const changed = dumpConfig(configOf(everything))
    .split('\n')
    .filter((line) => !DEFAULTS.includes(line));
  // Those whose default is to have none.
  expect(changed.map((line) => line.split(' ')[0])).toEqual([
    'admin-server-port',
    'admin-server-unix-socket',
    'app.settings.name',
    'db-anon-role',
    'db-max-rows',
    'db-pre-config',
    'db-pre-request',
    'db-root-spec',
    'jwt-aud',
    'jwt-secret',
    'openapi-server-proxy-uri',
    'server-cors-allowed-origins',
    'server-trace-header',
    'server-unix-socket',
  ]);
});
