import { describe, expect, test } from 'vitest';
import { type Config, type ConfigSources, resolveConfig } from './resolve.ts';
import { workerSettings } from './worker-settings.ts';

const SECRET = 'reallyreallyreallyreallyverysafe';

const resolve = (env: Record<string, string>, more: Partial<ConfigSources> = {}) => resolveConfig({ env, ...more });

function configOf(env: Record<string, string>, more: Partial<ConfigSources> = {}): Config {
  const { config, errors } = resolve(env, more);
  expect(errors).toEqual([]);
  if (!config) throw new Error('no configuration');
  return config;
}

const errorsOf = (env: Record<string, string>, more: Partial<ConfigSources> = {}): readonly string[] =>
  resolve(env, more).errors;

test('an empty environment gives the defaults of PostgREST', () => {
  expect(configOf({ HOME: '/root', PATH: '/bin' })).toMatchObject({
    dbUri: 'postgresql://',
    dbSchemas: ['public'],
    dbExtraSearchPath: ['public'],
    dbHoistedTxSettings: ['statement_timeout', 'plan_filter.statement_cost_limit', 'default_transaction_isolation'],
    dbAnonRole: null,
    dbPool: 10,
    dbPoolMaxIdletime: 30,
    dbTxEnd: 'commit',
    dbMaxRows: null,
    jwtKeys: null,
    jwtKeysUrl: null,
    jwtRoleClaimKey: '$.role',
    logLevel: 'error',
    serverHost: '!4',
    serverPort: 3000,
    serverUnixSocketMode: 0o660,
    poolerHost: '127.0.0.1',
    poolerPort: 3010,
    sessionReset: 'auto',
    appSettings: [],
  });
});

describe('coercions are those of PostgREST', () => {
  test.each([
    ['true', true],
    ['True', true],
    ['TRUE', true],
    ['"true"', true],
    ['1', true],
    ['2', true],
    ['false', false],
    ['0', false],
    ['-1', false],
  ])('flag %s', (text, value) => {
    expect(configOf({ PGRST_DB_PLAN_ENABLED: text }).dbPlanEnabled).toBe(value);
  });

  test.each(['yes', 'on', 'truee', '1.5'])('flag %s is an error, where PostgREST takes the default', (text) => {
    expect(errorsOf({ PGRST_DB_PLAN_ENABLED: text })).toEqual([
      `PGRST_DB_PLAN_ENABLED is "${text}": it must be true or false.`,
    ]);
  });

  test('empty text is as good as none, but for the search path', () => {
    expect(
      configOf({ PGRST_DB_SCHEMAS: '', PGRST_DB_POOL: '', PGRST_DB_ANON_ROLE: '', PGRST_DB_EXTRA_SEARCH_PATH: '' }),
    ).toMatchObject({ dbSchemas: ['public'], dbPool: 10, dbAnonRole: null, dbExtraSearchPath: [] });
  });

  test('lists are split at commas and trimmed', () => {
    const env = { PGRST_DB_SCHEMAS: 'v1, v2 ,SPECIAL "@/\\#~_-', PGRST_DB_EXTRA_SEARCH_PATH: 'a , b' };
    expect(configOf(env)).toMatchObject({
      dbSchemas: ['v1', 'v2', 'SPECIAL "@/\\#~_-'],
      dbExtraSearchPath: ['a', 'b'],
    });
  });

  test('functions may have a schema', () => {
    expect(configOf({ PGRST_DB_PRE_REQUEST: 'auth.check', PGRST_DB_ROOT_SPEC: 'root' })).toMatchObject({
      dbPreRequest: { schema: 'auth', name: 'check' },
      dbRootSpec: { schema: '', name: 'root' },
    });
  });

  test('app.settings are taken from any variable under their prefix', () => {
    expect(configOf({ PGRST_APP_SETTINGS_b: '2', PGRST_APP_SETTINGS_A_x: '' }).appSettings).toEqual([
      ['app.settings.A_x', ''],
      ['app.settings.b', '2'],
    ]);
  });

  test('aliases', () => {
    const env = { PGRST_DB_SCHEMA: 'api', PGRST_MAX_ROWS: '5', PGRST_PRE_REQUEST: 'f', PGRST_ROLE_CLAIM_KEY: '.r' };
    expect(configOf(env)).toMatchObject({ dbSchemas: ['api'], dbMaxRows: 5, jwtRoleClaimKey: '.r' });
    expect(configOf({ ...env, PGRST_DB_SCHEMAS: 'main' }).dbSchemas).toEqual(['main']);
  });
});

test.each([
  [{ PGRST_DB_POOL: '0' }, 'PGRST_DB_POOL is "0": it must be a whole number from 1 to 10000.'],
  [{ PGRST_DB_POOL: 'ten' }, 'PGRST_DB_POOL is "ten": it must be a whole number from 1 to 10000.'],
  [{ PGRST_SERVER_PORT: '70000' }, 'PGRST_SERVER_PORT is "70000": it must be a whole number from 0 to 65535.'],
  [{ PGRST_MAX_ROWS: '-1' }, 'PGRST_MAX_ROWS is "-1": it must be a whole number, at least 0.'],
  [{ PGRST_LOG_LEVEL: 'loud' }, 'PGRST_LOG_LEVEL is "loud": it must be one of crit, error, warn, info, debug.'],
  [
    { PGRST_DB_TX_END: 'Commit' },
    'PGRST_DB_TX_END is "Commit": it must be one of commit, commit-allow-override, rollback, rollback-allow-override.',
  ],
  [
    { PGRST_DB_SCHEMAS: 'api,pg_catalog' },
    'PGRST_DB_SCHEMAS is "api,pg_catalog": it must be a list of schemas without pg_catalog and information_schema.',
  ],
  [
    { PGRST_SERVER_UNIX_SOCKET_MODE: '577' },
    'PGRST_SERVER_UNIX_SOCKET_MODE is "577": it must be an octal file mode from 600 to 777.',
  ],
  [{ PGRST_JWT_AUD: 'a: b' }, 'PGRST_JWT_AUD is "a: b": it must be a text or a URI.'],
  [{ PGRST_JWT_AUD: 'http://%%x.invalid' }, 'PGRST_JWT_AUD is "http://%%x.invalid": it must be a text or a URI.'],
  [{ PGRST_DB_PRE_REQUEST: 'api.' }, `PGRST_DB_PRE_REQUEST is "api.": it must be a function's name, such as api.root.`],
  [
    { PGRST_OPENAPI_SERVER_PROXY_URI: 'ftp://x' },
    'PGRST_OPENAPI_SERVER_PROXY_URI is "ftp://x": it must be an absolute http or https URI without query, such as https://example.com:8443/basePath.',
  ],
  [{ PGRST_ADMIN_SERVER_PORT: '3000' }, "PGRST_ADMIN_SERVER_PORT cannot be the same as the server's port."],
  [
    { EDGEREST_POOLER_SECRET: 'short' },
    'EDGEREST_POOLER_SECRET is not right: it must be at least 32 bytes, best made at random.',
  ],
  [
    { PGRST_JWT_SECRET: 'short' },
    'PGRST_JWT_SECRET is not right: it must be at least 32 characters long, or a JSON Web Key, a key set or its https URL.',
  ],
  [
    { EDGEREST_POOLER_TLS_CERT: 'cert.pem' },
    'EDGEREST_POOLER_TLS_CERT and EDGEREST_POOLER_TLS_KEY belong together: set both or none.',
  ],
  [
    { EDGEREST_POOLER_URL: 'https://one.example.com,ftp://two.example.com' },
    'EDGEREST_POOLER_URL is "https://one.example.com,ftp://two.example.com": it must be https or wss URLs without path, with commas between, such as https://pooler.example.com.',
  ],
  [{ PGRST_DB_SCHEMSA: 'api' }, 'PGRST_DB_SCHEMSA is not a parameter. Did you mean PGRST_DB_SCHEMAS?'],
  [{ EDGEREST_POOL_SECRET: 'x' }, 'EDGEREST_POOL_SECRET is not a parameter. Did you mean EDGEREST_POOLER_SECRET?'],
  [{ PGRST_ENTIRELY_SOMETHING_ELSE: 'x' }, 'PGRST_ENTIRELY_SOMETHING_ELSE is not a parameter.'],
])('%j stops the start', (env, message) => {
  expect(errorsOf(env)).toEqual([message]);
});

test('the addresses of poolers are a list, of http and of WebSockets', () => {
  const urlOf = (url: string): string | null => configOf({ EDGEREST_POOLER_URL: url }).poolerUrl;
  expect(urlOf('https://one.example.com/, wss://two.example.com')).toBe(
    'https://one.example.com,wss://two.example.com',
  );
  expect(urlOf('ws://127.0.0.1:3010')).toBe('ws://127.0.0.1:3010');
});

test('all errors are told at once, and none of them holds a secret', () => {
  const errors = errorsOf({ PGRST_JWT_SECRET: 'hunter2', PGRST_DB_POOL: 'x', PGRST_X: 'y' });
  expect(errors).toHaveLength(2);
  expect(errors.join()).not.toContain('hunter2');
});

test('a parameter that PostgREST dropped does not stop the start', () => {
  expect(resolve({ PGRST_RAW_MEDIA_TYPES: 'image/png' })).toMatchObject({
    errors: [],
    warnings: [expect.stringContaining('PGRST_RAW_MEDIA_TYPES')],
  });
});

test('variables that Kubernetes adds for services of our name, and those of our tests, are not parameters', () => {
  const env = {
    EDGEREST_SERVICE_HOST: '10.0.0.1',
    EDGEREST_SERVICE_PORT_HTTP: '3000',
    EDGEREST_PORT: 'tcp://10.0.0.1:3000',
    EDGEREST_PORT_3000_TCP_ADDR: '10.0.0.1',
    EDGEREST_POOLER_PORT: 'tcp://10.0.0.2:3010',
    PGRST_PORT_3000_TCP: 'tcp://10.0.0.1:3000',
    EDGEREST_TEST_DB_URI: 'postgresql://',
  };
  expect(configOf(env).poolerPort).toBe(3010);
});

describe('sources', () => {
  const file = new Map([
    ['db-pool', '3'],
    ['db-schema', 'file'],
    ['app.settings.x', 'file'],
    ['app.settings.y', 'file'],
  ]);

  test('the environment is stronger than the file, the database stronger than both', () => {
    const env = { PGRST_DB_POOL: '4', PGRST_APP_SETTINGS_x: 'env' };
    expect(configOf(env, { file, database: new Map([['db-pool', '5']]) })).toMatchObject({
      dbPool: 5,
      dbSchemas: ['file'],
      appSettings: [
        ['app.settings.x', 'env'],
        ['app.settings.y', 'file'],
      ],
    });
    expect(configOf(env, { file }).dbPool).toBe(4);
  });

  test('a mistake in the file is named as the file names it', () => {
    expect(
      errorsOf(
        {},
        {
          file: new Map([
            ['db-pool', 'x'],
            ['db-max-rows', '1'],
          ]),
        },
      ),
    ).toEqual(['db-pool is "x": it must be a whole number from 1 to 10000.']);
  });

  test('a name of its own in the file is a warning, as other values may refer to it', () => {
    const named = new Map([
      ['db-pol', '1'],
      ['host', 'x'],
    ]);
    expect(resolve({}, { file: named })).toMatchObject({
      errors: [],
      warnings: ['Ignored, since this version has no such parameter: db-pol (did you mean db-pool?), host.'],
    });
  });

  test('a mistake in the database is named as the database names it', () => {
    expect(errorsOf({}, { database: new Map([['db-max-rows', 'all']]) })).toEqual([
      'pgrst.db_max_rows is "all": it must be a whole number, at least 0.',
    ]);
  });

  test('settings of app.settings are one level deep', () => {
    const deep = new Map([
      ['app.settings.x', '1'],
      ['app.settings.x.y', '2'],
    ]);
    expect(configOf({}, { file: deep }).appSettings).toEqual([['app.settings.x', '1']]);
  });

  test('@file is read where the parameter allows it', () => {
    const files = new Map([
      ['/run/secret', `${SECRET}\n`],
      ['uri', '  postgresql://db/app \n'],
    ]);
    const readFile = (path: string): Uint8Array => {
      const text = files.get(path);
      if (text === undefined) throw new Error(`ENOENT ${path}`);
      return new TextEncoder().encode(text);
    };
    const env = { PGRST_JWT_SECRET: '@/run/secret', PGRST_DB_URI: '@uri' };
    expect(configOf(env, { readFile })).toMatchObject({ jwtSecret: SECRET, dbUri: 'postgresql://db/app' });
    expect(errorsOf({ PGRST_JWT_SECRET: '@/missing' }, { readFile })).toEqual([
      'PGRST_JWT_SECRET names the file /missing, which cannot be read.',
    ]);
    expect(errorsOf(env)).toHaveLength(2);
  });

  test('a secret in a file may be any bytes, without the newline at its end', () => {
    const bytes = Uint8Array.from({ length: 32 }, (_, i) => 200 + i);
    const k = btoa(String.fromCharCode(...bytes))
      .replaceAll('+', '-')
      .replaceAll('/', '_')
      .replace(/=+$/, '');
    const env = { PGRST_JWT_SECRET: '@secret' };
    expect(configOf(env, { readFile: () => bytes }).jwtKeys).toMatchObject([{ kty: 'oct', k }]);
    expect(configOf(env, { readFile: () => Uint8Array.of(...bytes, 10) }).jwtKeys).toMatchObject([{ k }]);
  });
});

describe('a reload', () => {
  test('changes what is reloadable and keeps the rest, with a warning', () => {
    const started = configOf(
      { PGRST_DB_URI: '@uri', PGRST_DB_POOL: '3' },
      { readFile: () => new TextEncoder().encode('x=y') },
    );
    const { config, warnings } = resolveConfig({
      started,
      env: { PGRST_DB_URI: '@uri', PGRST_DB_POOL: '4', PGRST_DB_MAX_ROWS: '7', PGRST_DB_TX_END: 'rollback' },
    });
    expect(config).toMatchObject({ dbUri: 'x=y', dbPool: 3, dbMaxRows: 7, dbTxEnd: 'rollback' });
    expect(warnings).toEqual(['Set to something else, which takes a restart: PGRST_DB_POOL.']);
  });

  test('that finds what there was has nothing to say', () => {
    const env = { PGRST_DB_POOL: '3', PGRST_SERVER_PORT: '3001' };
    expect(resolveConfig({ env, started: configOf(env) }).warnings).toEqual([]);
  });
});

describe('jwt-secret', () => {
  const rsa = { kty: 'RSA', n: 'abc', e: 'AQAB', kid: 'k1', alg: 'RS256' };

  test.each([
    [
      'a text',
      { PGRST_JWT_SECRET: SECRET },
      [{ kty: 'oct', alg: 'HS256', use: 'sig', k: btoa(SECRET).replace(/=+$/, '') }],
    ],
    [
      'base64',
      { PGRST_JWT_SECRET: btoa(SECRET).replaceAll('=', '.'), PGRST_JWT_SECRET_IS_BASE64: 'true' },
      [{ kty: 'oct', alg: 'HS256', use: 'sig', k: btoa(SECRET).replace(/=+$/, '') }],
    ],
    ['a key', { PGRST_JWT_SECRET: JSON.stringify(rsa) }, [rsa]],
    [
      'a key set',
      { PGRST_JWT_SECRET: JSON.stringify({ keys: [rsa, { kty: 'oct', k: 'c2VjcmV0' }] }) },
      [rsa, { kty: 'oct', k: 'c2VjcmV0' }],
    ],
  ])('may be %s', (_, env, keys) => {
    expect(configOf(env).jwtKeys).toEqual(keys);
  });

  test('never hands on the private part of a key', () => {
    const secret = JSON.stringify({ ...rsa, d: 'private', p: 'x', k: 'y' });
    expect(configOf({ PGRST_JWT_SECRET: secret }).jwtKeys).toEqual([rsa]);
  });

  test('may be the URL of a key set', () => {
    const url = 'https://issuer.example.com/.well-known/jwks.json';
    expect(configOf({ PGRST_JWT_SECRET: url })).toMatchObject({ jwtSecret: url, jwtKeys: null, jwtKeysUrl: url });
    const readFile = () => new TextEncoder().encode(`${url}\n`);
    expect(configOf({ PGRST_JWT_SECRET: '@file' }, { readFile }).jwtKeysUrl).toBe(url);
    for (const loopback of ['http://127.0.0.1:8080/keys', 'http://localhost/keys', 'http://[::1]:1/keys']) {
      expect(configOf({ PGRST_JWT_SECRET: loopback }).jwtKeysUrl).toBe(loopback);
    }
  });

  test.each([
    'http://issuer.example.com/.well-known/jwks.json',
    'http://127.0.0.1.example.com/.well-known/jwks.json',
    'https://user:password@issuer.example.com/jwks.json',
    'https://',
    'ftp://issuer.example.com/.well-known/jwks.json',
    'file:///etc/keys-that-are-long-enough-for-a-secret.json',
  ])('is refused as the URL %s', (url) => {
    expect(errorsOf({ PGRST_JWT_SECRET: url })).toEqual([
      'PGRST_JWT_SECRET is not right: it must be an https URL of a key set (http on loopback only) without credentials, ' +
        'where it is a URL.',
    ]);
  });

  test('that is not base64 where it should be stops the start', () => {
    expect(errorsOf({ PGRST_JWT_SECRET: '***', PGRST_JWT_SECRET_IS_BASE64: 'true' })).toEqual([
      'PGRST_JWT_SECRET is not right: it must be base64, as jwt-secret-is-base64 says.',
    ]);
  });
});

test('the settings of the worker hold no secret', () => {
  const env = {
    PGRST_JWT_SECRET: SECRET,
    PGRST_DB_URI: 'postgresql://user:password@host/db',
    EDGEREST_POOLER_SECRET: 'x'.repeat(32),
    PGRST_APP_SETTINGS_key: 'app-secret',
    PGRST_DB_TX_END: 'rollback-allow-override',
  };
  const settings = workerSettings(configOf(env));
  expect(settings.dbTxAllowOverride).toBe(true);
  expect(JSON.stringify(settings)).not.toMatch(/really|password|xxx|app-secret/);
});
