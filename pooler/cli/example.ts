/** `--example`: a configuration file with every parameter of PostgREST, each commented out. */
export const EXAMPLE = `# A configuration file for edgerest, in PostgREST's format: edgerest serve edgerest.conf
#
# A value is a text in double quotes, a number, true or false. "$(NAME)" in a text stands for another
# key of this file or an environment variable, "$$" for a dollar sign. Environment variables are
# stronger than this file (PGRST_DB_POOL for db-pool), settings in the database stronger than both.
# Parameters of edgerest's own have keys too: edgerest-queue-length for EDGEREST_QUEUE_LENGTH.
#
# What follows a single # is the default, or an example where there is none.

## The database. Left out, the PG* variables of libpq say where it is; "@file" reads it from a file
# db-uri = "postgresql://"

## The exposed schemas, the first is the default
# db-schemas = "public"

## The role of requests without a token
# db-anon-role = "anon"

## Schemas behind the exposed one in search_path
# db-extra-search-path = "public"

## A function that is called before every request
# db-pre-request = "check_request"

## A function that answers / instead of the OpenAPI document
# db-root-spec = "root"

## No answer has more rows
# db-max-rows = 1000

## How transactions end: commit, commit-allow-override, rollback, rollback-allow-override
# db-tx-end = "commit"

## A function's own settings that apply to its whole transaction
# db-hoisted-tx-settings = "statement_timeout,plan_filter.statement_cost_limit,default_transaction_isolation"

## Aggregate functions in select
# db-aggregates-enabled = false

## Accept: application/vnd.pgrst.plan
# db-plan-enabled = false

## Set to false behind a pooler that hands out connections per transaction
# db-prepared-statements = true

## Connections that carry requests; seconds to wait for one, and until one is closed or replaced
# db-pool = 10
# db-pool-acquisition-timeout = 10
# db-pool-max-idletime = 30
# db-pool-max-lifetime = 1800

## Whether a lost database is tried again; otherwise the program ends
# db-pool-automatic-recovery = true

## Configuration in the database, and a function that sets more of it
# db-config = true
# db-pre-config = "postgrest.pre_config"

## The channel whose NOTIFY reloads, and whether to listen there
# db-channel = "pgrst"
# db-channel-enabled = true

## What verifies tokens: a text of 32 characters or more, a JSON Web Key, a key set or the https URL of one; "@file" reads it
# jwt-secret = "a secret of 32 characters or more"
# jwt-secret-is-base64 = false

## The audience that tokens must be for
# jwt-aud = "your-audience"

## Where in the token the role is
# jwt-role-claim-key = "$$.role"

## Verified tokens that are kept, 0 keeps none
# jwt-cache-max-entries = 1000

## Where to listen: an address, or !4 *4 !6 *6 * for all addresses of a kind
# server-host = "!4"
# server-port = 3000
# server-reuseport = false

## A socket file instead of host and port
# server-unix-socket = "/tmp/pgrst.sock"
# server-unix-socket-mode = "660"

## The server for health checks and metrics: none without a port or a socket file
# admin-server-host = "!4"
# admin-server-port = 3001
# admin-server-unix-socket = "/tmp/pgrst-admin.sock"
# admin-server-unix-socket-mode = "660"

## Origins that browsers may ask from, any without it
# server-cors-allowed-origins = "https://example.com, https://example.org"

## A header of the request that the answer repeats
# server-trace-header = "X-Request-Id"

## The Server-Timing header
# server-timing-enabled = false

## crit, error, warn, info, debug; and whether the SQL is logged
# log-level = "error"
# log-query = false

## verbose, or minimal for errors without details and hint
# client-error-verbosity = "verbose"

## The OpenAPI document: follow-privileges, ignore-privileges, disabled
# openapi-mode = "follow-privileges"
# openapi-security-active = false
# openapi-server-proxy-uri = "https://example.com/api"

## Whether an embed with an alias may be addressed by its table's name too
# url-use-legacy-target-names = true

## Settings of every transaction, as many as you like
# app.settings.name = "value"
`;
