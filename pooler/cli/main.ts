#!/usr/bin/env node
/** The command line: `edgerest <command>`. */
import { StartError } from '../start.ts';
import { VERSION } from '../version.ts';

const USAGE = `Usage: edgerest <command>

PostgREST's HTTP API for a PostgreSQL database, from an edge runtime or from here.

Commands:
  serve    the whole API in this process, as the postgrest binary has it
  pooler   the connections to the database alone, for workers that are elsewhere
  edge     the pooler, and the worker in workerd as in production, on this machine

Options:
  -h, --help      this text
  -v, --version   the version

Everything is configured by environment variables: PostgREST's parameters under
PGRST_… and some of our own under EDGEREST_…; docs/configuration.md has them all.

  PGRST_DB_URI=postgresql://authenticator:secret@localhost/app PGRST_DB_ANON_ROLE=anon edgerest serve
`;

/** Loaded when asked for: `--help` needs none of it. */
const commands: ReadonlyMap<string, () => Promise<void>> = new Map([
  ['serve', async () => (await import('./serve.ts')).serve()],
  ['pooler', async () => (await import('./pooler.ts')).pooler()],
  ['edge', async () => (await import('./edge.ts')).edge()],
]);

function refuse(message: string): void {
  for (const line of message.split('\n')) process.stderr.write(`edgerest: ${line}\n`);
  process.exit(1);
}

async function main(args: readonly string[]): Promise<void> {
  const [name, ...rest] = args;
  if (name === '--help' || name === '-h') {
    process.stdout.write(USAGE);
    return;
  }
  if (name === '--version' || name === '-v') {
    process.stdout.write(`edgerest ${VERSION}\n`);
    return;
  }
  const command = commands.get(name ?? '');
  if (command === undefined || rest.length > 0) {
    const what =
      command === undefined
        ? name === undefined
          ? 'a command is missing.'
          : `there is no command ${name}.`
        : `${name} takes no arguments.`;
    process.stderr.write(`edgerest: ${what}\n\n${USAGE}`);
    process.exit(2);
  }
  try {
    await command();
  } catch (error) {
    if (error instanceof StartError) refuse(error.message);
    throw error;
  }
}

await main(process.argv.slice(2));
