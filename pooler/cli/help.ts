/** What `--help` says. */
import type { Command } from './arguments.ts';

const OPTIONS = `Options:
  -h, --help      this text; after a command, more about that command
  -v, --version   the version
  -e, --example   an example of a configuration file, with every parameter of PostgREST
  --dump-config   the configuration that results from file, environment and database
  --dump-schema   the schema cache as JSON; its structure may change
  --ready         whether the program that runs with this configuration can serve:
                  asks its admin server, exit code 0 or 1
  FILE            a configuration file in PostgREST's format`;

const CONFIGURATION = `Configuration, each stronger than the one before:
  FILE            db-pool = 10
  environment     PGRST_DB_POOL=10; what PostgREST has no word for is EDGEREST_…
  database        ALTER ROLE authenticator SET pgrst.db_max_rows = '100',
                  or the function that db-pre-config names
  PGHOST, PGUSER and the other variables of libpq complete db-uri.
  docs/configuration.md explains every parameter.`;

const EXIT_CODES = `Exit codes: 0 after SIGTERM, SIGINT or what an option asked for; 1 when something
is wrong, in the configuration or with the database; 2 when the arguments are.`;

const SIGNALS = `Signals:
  SIGUSR1         loads the schema cache anew; so does NOTIFY pgrst, 'reload schema'
  SIGUSR2         reads the configuration anew; so does NOTIFY pgrst, 'reload config'
  SIGTERM, SIGINT answer what was accepted, then end; a second one ends at once`;

const GENERAL = `Usage: edgerest <command> [options] [FILE]
       edgerest --help | --version | --example
       edgerest --dump-config | --dump-schema | --ready [FILE]

PostgREST's HTTP API for a PostgreSQL database, from an edge runtime or from here.

Commands:
  serve    the whole API in this process; takes the arguments of postgrest
  pooler   the connections to the database alone, for workers that are elsewhere
  edge     the pooler, and the worker in workerd as in production, on this machine

${OPTIONS}

${CONFIGURATION}

${EXIT_CODES}

  PGRST_DB_URI=postgresql://authenticator:secret@localhost/app PGRST_DB_ANON_ROLE=anon edgerest serve
`;

const ABOUT: Readonly<Record<Command, string>> = {
  serve: `Usage: edgerest serve [options] [FILE]

Serves the API on server-host and server-port, by default on port 3000 of all IPv4
addresses: worker and pooler in one process. It takes the arguments, the configuration
and the signals of the postgrest binary; called by the name postgrest, it is this command.`,
  pooler: `Usage: edgerest pooler [options] [FILE]

Holds the connections to the database for workers that are elsewhere, and gives them the
schema cache, their settings and the keys for tokens. It listens on EDGEREST_POOLER_HOST
and EDGEREST_POOLER_PORT, by default on 127.0.0.1:3010, for whoever has
EDGEREST_POOLER_SECRET (openssl rand -base64 48).`,
  edge: `Usage: edgerest edge [options] [FILE]

Serves the API as it is in production, on one machine: the worker runs in workerd and
listens on server-host and server-port, the pooler in this process. Between the two is
HTTP on loopback, with a port and a secret of this run unless they are given.`,
};

/** The text for a command, or for all. */
export const helpFor = (command: Command | null): string =>
  command === null ? GENERAL : `${ABOUT[command]}\n\n${OPTIONS}\n\n${CONFIGURATION}\n\n${SIGNALS}\n\n${EXIT_CODES}\n`;

/** The usage alone, for those who got it wrong. */
export const USAGE: string = GENERAL.slice(0, GENERAL.indexOf('\n\n')).concat('\nedgerest --help explains it.\n');
