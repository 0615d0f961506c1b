/** What the bench is asked for on its command line. */
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { CLIENTS, LOADS, type LoadName, POOL } from './loads.ts';
import { MODES, type Mode } from './program.ts';

const USAGE = `Usage: npm run bench -- [options]

Measures, in turn and in one run, the floor (a bare socket loop on ${POOL} connections that runs the two
statements of a request under one Sync) and the API (${CLIENTS} clients that keep their connections, a
token with every request, a pool of ${POOL}), and prints the API's share of the floor.

  --mode serve,edge   what is measured: serve (the default), edge, or both
  --only LOAD,…       these loads alone: ${LOADS.join(', ')}
  --seconds N         how long each measurement takes (3)
  --rounds N          how many there are of each; the middle one counts (3)
  --baseline DIR      measures another checkout too, in turn with this one
  --steps             measures the steps of a request instead, without a server
  --help              this text

A PostgreSQL is started for the run, unless EDGEREST_BENCH_DB_URI is a superuser's connection string
(without TLS): its database edgerest_bench is then made anew and dropped at the end; the roles
bench_login, bench_anon and bench_alice stay.
`;

export interface Options {
  readonly modes: readonly Mode[];
  readonly only: readonly LoadName[];
  readonly seconds: number;
  readonly rounds: number;
  /** The root of another checkout. */
  readonly baseline: string | null;
  readonly steps: boolean;
}

function refuse(message: string): never {
  process.stderr.write(`bench: ${message}\n\n${USAGE}`);
  process.exit(2);
}

function chosen<T extends string>(option: string, text: string, known: readonly T[]): readonly T[] {
  const names: readonly string[] = text.split(',');
  const unknown = names.find((name) => !known.some((each) => each === name));
  if (unknown !== undefined) refuse(`--${option} knows ${known.join(', ')}, not ${JSON.stringify(unknown)}.`);
  return known.filter((name) => names.includes(name));
}

function positive(option: string, text: string): number {
  const value = Number(text);
  if (!(value > 0 && Number.isFinite(value))) refuse(`--${option} must be a number above 0.`);
  return value;
}

function parsed(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        mode: { type: 'string', default: 'serve' },
        only: { type: 'string', default: LOADS.join(',') },
        seconds: { type: 'string', default: '3' },
        rounds: { type: 'string', default: '3' },
        baseline: { type: 'string' },
        steps: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    }).values;
  } catch (error) {
    return refuse(error instanceof Error ? error.message : String(error));
  }
}

/** Reads the arguments; ends the process for --help and for what it does not know. */
export function readOptions(args: readonly string[]): Options {
  const values = parsed(args);
  if (values.help) {
    process.stdout.write(USAGE);
    process.exit(0);
  }
  return {
    modes: chosen('mode', values.mode, MODES),
    only: chosen('only', values.only, LOADS),
    seconds: positive('seconds', values.seconds),
    rounds: Math.ceil(positive('rounds', values.rounds)),
    baseline: values.baseline === undefined ? null : resolve(values.baseline),
    steps: values.steps,
  };
}
