/** The command line: `edgerest <command>`. */
import { basename } from 'node:path';
import { StartError } from '../start-error.ts';
import { VERSION } from '../version.ts';
import { type Command, type Invocation, parseArguments, UsageError } from './arguments.ts';
import type { Configured } from './config.ts';
import { helpFor, USAGE } from './help.ts';

/** Each is loaded when it is asked for: the others need none of it. */
async function run(command: Command, given: Configured): Promise<void> {
  switch (command) {
    case 'serve':
      return (await import('./serve.ts')).serve(given);
    case 'pooler':
      return (await import('./pooler.ts')).pooler(given);
    case 'edge':
      return (await import('./edge.ts')).edge(given);
    default:
      command satisfies never;
  }
}

const configured = async (file: string | null): Promise<Configured> => (await import('./config.ts')).configure(file);

async function checkReady({ configuration }: Configured): Promise<void> {
  const { ready, message } = await (await import('./ready.ts')).checkReady(configuration.current);
  (ready ? process.stdout : process.stderr).write(`${message}\n`);
  if (!ready) process.exitCode = 1;
}

async function act({ command, action, file }: Invocation): Promise<void> {
  switch (action) {
    case 'help':
      process.stdout.write(helpFor(command));
      return;
    case 'version':
      process.stdout.write(`edgerest ${VERSION}\n`);
      return;
    case 'example':
      process.stdout.write((await import('./example.ts')).EXAMPLE);
      return;
    case 'dump-config':
      process.stdout.write(await (await import('./dump.ts')).configText(await configured(file)));
      return;
    case 'dump-schema':
      process.stdout.write(await (await import('./dump.ts')).schemaText(await configured(file)));
      return;
    case 'ready':
      return checkReady(await configured(file));
    case null:
      if (command !== null) await run(command, await configured(file));
      return;
    default:
      action satisfies never;
  }
}

async function main(args: readonly string[]): Promise<void> {
  try {
    if (args[0] === 'top') await (await import('./top/top.ts')).top(args.slice(1));
    else await act(parseArguments(args, basename(process.argv[1] ?? '')));
  } catch (error) {
    if (error instanceof UsageError) {
      process.stderr.write(`edgerest: ${error.message}\n\n${USAGE}`);
      process.exit(2);
    }
    if (!(error instanceof StartError)) throw error;
    for (const line of error.message.split('\n')) process.stderr.write(`edgerest: ${line}\n`);
    process.exit(1);
  }
}

await main(process.argv.slice(2));
