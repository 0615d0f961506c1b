/** What `--help` says. */
import type { Command } from './arguments.ts';

const OPTIONS = `Options:
  -h, --help      this text; after a command, more about that command
  -v, --version   the version
  -e, --example   an example of a configuration file, with every parameter of PostgREST
  --dump-config   the configuration that results from file, environment and database
  --dump-schema   the schema cache as JSON; its structure may change
  --ready         asks the admin server of the program that runs with this
                  configuration whether it can serve: exit code 0 or 1
  FILE            a configuration file in PostgREST's format`;

const CONFIGURATION = `Configuration, each stronger than the one before:
  FILE            db-pool = 10
  environment     PGRST_DB_POOL=10; what PostgREST has no word for is EDGEREST_…
  database        ALTER ROLE authenticator SET pgrst.db_max_rows = '100',
                  or the function that db-pre-config names
  PGHOST, PGUSER and the other variables of libpq complete db-uri.
  docs/configuration.md, which is in the package, explains every parameter.`;

const EXIT_CODES = `Exit codes: 0 after SIGTERM, SIGINT or what an option asked for; 1 when something
is wrong, in the configuration or with the database; 2 when the arguments are.`;

const SIGNALS = `Signals:
  SIGUSR1         loads the schema cache anew; so does NOTIFY pgrst, 'reload schema'
  SIGUSR2         reads the configuration anew; so does NOTIFY pgrst, 'reload config'
  SIGTERM, SIGINT answer what was accepted, then end; a second one ends at once`;

const DATABASE = `  PGRST_DB_URI        the database, and a login role that owns nothing and is NOINHERIT
  PGRST_DB_SCHEMAS    the schemas whose tables and functions are the API (public)
  PGRST_DB_ANON_ROLE  the role of requests without a token; without it they are refused
  PGRST_JWT_SECRET    what tokens are verified with: a secret of 32 characters or more,
                      a JSON Web Key, a key set, or the https URL of one`;

const GENERAL = `Usage: edgerest <command> [options] [FILE]
       edgerest --help | --version | --example
       edgerest --dump-config | --dump-schema | --ready [FILE]

PostgREST's HTTP API for a PostgreSQL database, from an edge runtime or from here:

  PGRST_DB_URI=postgresql://authenticator:secret@localhost/app \\
  PGRST_DB_ANON_ROLE=anon edgerest serve
  curl http://localhost:3000/some_table?limit=3

Commands:
  serve    the whole API in this process; takes the arguments of postgrest
  pooler   the connections to the database alone, for workers that are elsewhere
  edge     the pooler, and the worker in workerd as in production, on this machine
  top      what a program that runs is at: connections, queues, slowest statements

Set first:
${DATABASE}

${OPTIONS}

${CONFIGURATION}

${EXIT_CODES}
`;

const ABOUT: Readonly<Record<Command, string>> = {
  serve: `Usage: edgerest serve [options] [FILE]

Serves the API: worker and pooler in one process. It takes the arguments, the configuration
and the signals of the postgrest binary; called by the name postgrest, it is this command.

Set first:
${DATABASE}
  PGRST_SERVER_HOST, PGRST_SERVER_PORT
                      where it listens (all IPv4 addresses, 3000)
  PGRST_ADMIN_SERVER_PORT
                      /live, /ready and /metrics, for operators (none)`,
  pooler: `Usage: edgerest pooler [options] [FILE]

Holds the connections to the database for workers that are elsewhere, and gives them the
schema cache, their settings and the keys for tokens. A worker is told two things: where
the pooler is (EDGEREST_POOLER_URL) and the secret.

Set first:
${DATABASE}
  EDGEREST_POOLER_SECRET
                      shared with the workers: openssl rand -base64 48
  EDGEREST_POOLER_HOST, EDGEREST_POOLER_PORT
                      where it listens (127.0.0.1, 3010); beyond loopback with
                      EDGEREST_POOLER_TLS_CERT and EDGEREST_POOLER_TLS_KEY, or with
                      EDGEREST_BEHIND_PROXY=1 behind a proxy that ends TLS`,
  edge: `Usage: edgerest edge [options] [FILE]

Serves the API as it is in production, on one machine: the worker runs in workerd, which
is a package of its own (npm install workerd), the pooler in this process. Between the two
is HTTP on loopback, with a port and a secret of this run unless they are given.

Set first:
${DATABASE}
  PGRST_SERVER_HOST, PGRST_SERVER_PORT
                      where the worker listens (all IPv4 addresses, 3000)`,
};

/** What `edgerest top --help` says. */
export const TOP_HELP = `Usage: edgerest top [options] [FILE]

Shows what a program is at: its connections, who waits for them, and the statements that
take most time. It asks the program's admin server, which must be open (PGRST_ADMIN_SERVER_PORT)
and, unless --admin is given, is found with the program's own configuration.

Options:
  --admin URL     http://host:port or unix:/path/of/the/socket of the admin server
  --interval N    seconds between two looks (2)
  --once          one look, as plain text: exit code 1 where there is nothing to look at
  FILE            the program's configuration file

It is drawn anew on a terminal, and ends with q or Ctrl-C; elsewhere each look follows the
one before. Times: how long a key's requests waited, and USED by its transactions; TOTAL, MEAN,
P99 and MAX of whole transactions, by their main statement; all since the program's start.
P99 may be too long by half.
`;

/** The text for a command, or for all. */
export const helpFor = (command: Command | null): string =>
  command === null ? GENERAL : `${ABOUT[command]}\n\n${OPTIONS}\n\n${CONFIGURATION}\n\n${SIGNALS}\n\n${EXIT_CODES}\n`;

/** The usage alone, for those who got it wrong. */
export const USAGE: string = GENERAL.slice(0, GENERAL.indexOf('\n\n')).concat('\nedgerest --help explains it.\n');
