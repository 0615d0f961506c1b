#!/usr/bin/env node
/** The command line: `edgerest <command>`. */
import { basename } from 'node:path';
import { ConfigurationError } from '../config/configuration.ts';
import { StartError } from '../start.ts';
import { VERSION } from '../version.ts';
import { type Command, type Invocation, parseArguments, UsageError } from './arguments.ts';
import { type Configured, configure } from './config.ts';
import { helpFor, USAGE } from './help.ts';

/** Each is loaded when it is asked for: the others need none of it. */
async function run(command: Command, configured: Configured): Promise<void> {
  switch (command) {
    case 'serve':
      return (await import('./serve.ts')).serve(configured);
    case 'pooler':
      return (await import('./pooler.ts')).pooler(configured);
    case 'edge':
      return (await import('./edge.ts')).edge(configured);
    default:
      command satisfies never;
  }
}

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
      process.stdout.write(await (await import('./dump.ts')).configText(configure(file)));
      return;
    case 'dump-schema':
      process.stdout.write(await (await import('./dump.ts')).schemaText(configure(file)));
      return;
    case 'ready':
      return checkReady(configure(file));
    case null:
      if (command !== null) await run(command, configure(file));
      return;
    default:
      action satisfies never;
  }
}

async function main(args: readonly string[]): Promise<void> {
  try {
    await act(parseArguments(args, basename(process.argv[1] ?? '')));
  } catch (error) {
    if (error instanceof UsageError) {
      process.stderr.write(`edgerest: ${error.message}\n\n${USAGE}`);
      process.exit(2);
    }
    if (!(error instanceof StartError) && !(error instanceof ConfigurationError)) throw error;
    for (const line of error.message.split('\n')) process.stderr.write(`edgerest: ${line}\n`);
    process.exit(1);
  }
}

await main(process.argv.slice(2));
