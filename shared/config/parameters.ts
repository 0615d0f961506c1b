/**
 * The one table of all parameters: PostgREST's (https://docs.postgrest.org/en/stable/references/configuration.html) under
 * their own names, and those that PostgREST has no word for under `edgerest-…`. docs/configuration.md explains them.
 */
import { LOG_LEVELS } from '../log.ts';
import {
  claimPath,
  commaList,
  driverTargets,
  fileMode,
  flag,
  identifier,
  integer,
  mountPath,
  type Parse,
  poolerUrl,
  proxyUri,
  schemas,
  secret,
  sqlUrl,
  string,
  stringOrUri,
  word,
} from './values.ts';

/** Which half uses a parameter. The pooler resolves all of them; what is the worker's travels with the snapshot. */
export type AppliesTo = 'worker' | 'pooler' | 'both';

export interface Parameter<T> {
  /** The name in the file, e.g. `db-pool`; the variable is PGRST_DB_POOL, or EDGEREST_… for those of our own. */
  readonly name: string;
  readonly aliases: readonly string[];
  readonly default: T;
  readonly parse: Parse<T>;
  readonly appliesTo: AppliesTo;
  /** Whether a reload of the configuration applies it. */
  readonly reloadable: boolean;
  /** Whether the database may set it, as `pgrst.db_max_rows`. */
  readonly inDatabase: boolean;
  /** An empty text is a value of its own, not the same as leaving the parameter out. */
  readonly emptyable: boolean;
  /** The value never appears in a message. */
  readonly secret: boolean;
}

interface Options {
  readonly aliases?: readonly string[];
  readonly appliesTo?: AppliesTo;
  readonly fixed?: true;
  readonly emptyable?: true;
  readonly secret?: true;
}

/** As in PostgREST: nothing that says where to listen or how to reach the database. */
const IN_DATABASE: ReadonlySet<string> = new Set([
  'client-error-verbosity',
  'db-aggregates-enabled',
  'db-anon-role',
  'db-extra-search-path',
  'db-hoisted-tx-settings',
  'db-max-rows',
  'db-plan-enabled',
  'db-pre-config',
  'db-pre-request',
  'db-prepared-statements',
  'db-root-spec',
  'db-schemas',
  'db-tx-end',
  'jwt-aud',
  'jwt-cache-max-entries',
  'jwt-role-claim-key',
  'jwt-secret',
  'jwt-secret-is-base64',
  'openapi-mode',
  'openapi-security-active',
  'openapi-server-proxy-uri',
  'server-cors-allowed-origins',
  'server-timing-enabled',
  'server-trace-header',
  'url-use-legacy-target-names',
]);

function parameter<T>(name: string, fallback: NoInfer<T>, parse: Parse<T>, options: Options = {}): Parameter<T> {
  return {
    name,
    aliases: options.aliases ?? [],
    default: fallback,
    parse,
    appliesTo: options.appliesTo ?? 'pooler',
    reloadable: options.fixed !== true,
    inDatabase: IN_DATABASE.has(name),
    emptyable: options.emptyable === true,
    secret: options.secret === true,
  };
}

/** As `parameter`, for what may be left unset. */
const optional = <T>(name: string, parse: Parse<T>, options: Options = {}): Parameter<T | null> =>
  parameter<T | null>(name, null, parse, options);

const HOISTED = ['statement_timeout', 'plan_filter.statement_cost_limit', 'default_transaction_isolation'];
const worker = { appliesTo: 'worker' } as const;
const both = { appliesTo: 'both' } as const;

/** All parameters, by the name of their value in `Config`. */
export const parameters = {
  adminServerHost: optional('admin-server-host', string, { fixed: true }),
  adminServerPort: optional('admin-server-port', integer(0, 65535), { fixed: true }),
  adminServerUnixSocket: optional('admin-server-unix-socket', string, { fixed: true }),
  adminServerUnixSocketMode: parameter('admin-server-unix-socket-mode', 0o660, fileMode, { fixed: true }),
  clientErrorVerbosity: parameter('client-error-verbosity', 'verbose', word('verbose', 'minimal'), worker),
  dbAggregatesEnabled: parameter('db-aggregates-enabled', false, flag, worker),
  dbAnonRole: optional('db-anon-role', string, both),
  dbChannel: parameter('db-channel', 'pgrst', string),
  dbChannelEnabled: parameter('db-channel-enabled', true, flag),
  dbConfig: parameter('db-config', true, flag),
  dbExtraSearchPath: parameter<readonly string[]>('db-extra-search-path', ['public'], commaList, { emptyable: true }),
  dbHoistedTxSettings: parameter<readonly string[]>('db-hoisted-tx-settings', HOISTED, commaList),
  dbMaxRows: optional('db-max-rows', integer(0), { ...worker, aliases: ['max-rows'] }),
  dbPlanEnabled: parameter('db-plan-enabled', false, flag, worker),
  dbPool: parameter('db-pool', 10, integer(1, 10_000), { fixed: true }),
  dbPoolAcquisitionTimeout: parameter('db-pool-acquisition-timeout', 10, integer(0, 2_000_000), { fixed: true }),
  dbPoolAutomaticRecovery: parameter('db-pool-automatic-recovery', true, flag),
  dbPoolMaxIdletime: parameter('db-pool-max-idletime', 30, integer(0, 2_000_000), {
    fixed: true,
    aliases: ['db-pool-timeout'],
  }),
  dbPoolMaxLifetime: parameter('db-pool-max-lifetime', 1800, integer(0, 2_000_000), { fixed: true }),
  dbPreConfig: optional('db-pre-config', identifier),
  dbPreRequest: optional('db-pre-request', identifier, { aliases: ['pre-request'] }),
  dbPreparedStatements: parameter('db-prepared-statements', true, flag),
  dbRootSpec: optional('db-root-spec', identifier, { ...worker, aliases: ['root-spec'] }),
  dbSchemas: parameter<readonly string[]>('db-schemas', ['public'], schemas, { ...both, aliases: ['db-schema'] }),
  dbTxEnd: parameter(
    'db-tx-end',
    'commit',
    word('commit', 'commit-allow-override', 'rollback', 'rollback-allow-override'),
    both,
  ),
  dbUri: parameter('db-uri', 'postgresql://', string, { fixed: true, secret: true }),
  jwtAud: optional('jwt-aud', stringOrUri, both),
  jwtCacheMaxEntries: parameter('jwt-cache-max-entries', 1000, integer(0), both),
  jwtRoleClaimKey: parameter('jwt-role-claim-key', '$.role', claimPath('$.role'), {
    ...both,
    aliases: ['role-claim-key'],
  }),
  jwtSecret: optional('jwt-secret', string, { ...both, secret: true }),
  jwtSecretIsBase64: parameter('jwt-secret-is-base64', false, flag, { ...both, aliases: ['secret-is-base64'] }),
  logLevel: parameter('log-level', 'error', word(...LOG_LEVELS), both),
  logQuery: parameter('log-query', false, flag),
  openapiMode: parameter(
    'openapi-mode',
    'follow-privileges',
    word('follow-privileges', 'ignore-privileges', 'disabled'),
    both,
  ),
  openapiSecurityActive: parameter('openapi-security-active', false, flag),
  openapiServerProxyUri: optional('openapi-server-proxy-uri', proxyUri),
  serverCorsAllowedOrigins: optional('server-cors-allowed-origins', commaList, worker),
  serverHost: parameter('server-host', '!4', string, { fixed: true }),
  serverPort: parameter('server-port', 3000, integer(0, 65535), { fixed: true }),
  serverReuseport: parameter('server-reuseport', false, flag, { fixed: true }),
  serverTimingEnabled: parameter('server-timing-enabled', false, flag, worker),
  serverTraceHeader: optional('server-trace-header', string, worker),
  serverUnixSocket: optional('server-unix-socket', string, { fixed: true }),
  serverUnixSocketMode: parameter('server-unix-socket-mode', 0o660, fileMode, { fixed: true }),
  urlUseLegacyTargetNames: parameter('url-use-legacy-target-names', true, flag, worker),
  // Hidden ones, with which PostgREST's own tests slow its schema cache down.
  internalSchemaCacheQuerySleep: optional('internal-schema-cache-query-sleep', integer(0)),
  internalSchemaCacheQuerySleepBeforeQueries: optional('internal-schema-cache-query-sleep-before-queries', integer(0)),

  allowedRoles: parameter<readonly string[]>('edgerest-allowed-roles', [], commaList),
  apikeyHeader: parameter('edgerest-apikey-header', false, flag, worker),
  basePath: parameter('edgerest-base-path', '', mountPath, worker),
  behindProxy: parameter('edgerest-behind-proxy', false, flag, { fixed: true }),
  driverDatabases: parameter<readonly string[]>('edgerest-driver-databases', [], commaList, { fixed: true }),
  driverHost: parameter('edgerest-driver-host', '127.0.0.1', string, { fixed: true }),
  driverIdleTransaction: parameter('edgerest-driver-idle-transaction', 60, integer(1, 2_000_000), { fixed: true }),
  driverMaxBuffered: parameter('edgerest-driver-max-buffered', 256 * 1024 * 1024, integer(1024), { fixed: true }),
  driverMaxPerUser: optional('edgerest-driver-max-per-user', integer(1, 10_000), { fixed: true }),
  driverMaxPinned: optional('edgerest-driver-max-pinned', integer(0, 10_000), { fixed: true }),
  driverMaxResponseSize: parameter(
    'edgerest-driver-max-response-size',
    16 * 1024 * 1024,
    integer(1024, 1024 ** 3 - 1),
    {
      fixed: true,
    },
  ),
  driverMaxSockets: parameter('edgerest-driver-max-sockets', 10_000, integer(1, 1_000_000), { fixed: true }),
  driverPort: optional('edgerest-driver-port', integer(0, 65535), { fixed: true }),
  driverTargets: parameter<readonly string[]>('edgerest-driver-targets', [], driverTargets, { fixed: true }),
  jwksCooldown: parameter('edgerest-jwks-cooldown', 10, integer(1, 3600), { fixed: true }),
  jwksRefresh: parameter('edgerest-jwks-refresh', 600, integer(1, 86_400), { fixed: true }),
  maxBuffered: parameter('edgerest-max-buffered', 1024 * 1024 * 1024, integer(1024), { fixed: true }),
  maxBodySize: parameter('edgerest-max-body-size', 64 * 1024 * 1024, integer(1024, 1024 * 1024 * 1024 - 1), {
    ...both,
    fixed: true,
  }),
  poolMin: parameter('edgerest-pool-min', 0, integer(0, 10_000), { fixed: true }),
  poolReserve: optional('edgerest-pool-reserve', integer(0, 10_000), { fixed: true }),
  poolerHost: parameter('edgerest-pooler-host', '127.0.0.1', string, { fixed: true }),
  poolerPort: parameter('edgerest-pooler-port', 3010, integer(0, 65535), { fixed: true }),
  poolerSecret: optional('edgerest-pooler-secret', secret, { ...both, fixed: true, secret: true }),
  poolerSecretPrevious: optional('edgerest-pooler-secret-previous', secret, { fixed: true, secret: true }),
  poolerTlsCert: optional('edgerest-pooler-tls-cert', string, { fixed: true }),
  poolerTlsKey: optional('edgerest-pooler-tls-key', string, { fixed: true }),
  poolerUrl: optional('edgerest-pooler-url', poolerUrl, { ...worker, fixed: true }),
  queueKey: optional('edgerest-queue-key', claimPath('$.tenant')),
  queueLength: parameter('edgerest-queue-length', 1000, integer(0), { fixed: true }),
  sqlUrl: optional('edgerest-sql-url', sqlUrl, { ...worker, fixed: true }),
  sessionReset: parameter('edgerest-session-reset', 'auto', word('off', 'auto', 'full')),
} as const;

export type Parameters = typeof parameters;
type ValueOf<P> = P extends Parameter<infer T> ? T : never;

/** The parameters' values. */
export type ParameterValues = { readonly [K in keyof Parameters]: ValueOf<Parameters[K]> };

/** The variable that sets a parameter of this name. */
export function variableOf(name: string): string {
  const upper = name.replaceAll('-', '_').toUpperCase();
  return upper.startsWith('EDGEREST_') ? upper : `PGRST_${upper}`;
}

/** The setting by which the database sets a parameter of this name. */
export const settingOf = (name: string): string => `pgrst.${name.replaceAll('-', '_')}`;
