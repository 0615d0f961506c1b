/** The floor and the programs on it, in turn, and what share of the floor each program has. */
import type { ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Login } from './bare.ts';
import { median, medians, type Sample } from './closed-loop.ts';
import { generate, type Task, WARM_UP } from './generator.ts';
import { CLIENTS, type LoadName, loads, POOL } from './loads.ts';
import type { Options } from './options.ts';
import { type Program, startProgram, variablesFor } from './program.ts';

/** Whoever ends what was started, should the run be interrupted. */
export type Cleanup = (step: () => Promise<void>) => void;

export interface Share extends Sample {
  /** Of the floor's rate. */
  readonly ratio: number;
  /** Microseconds of processor time of the program's processes, for each request; null where that is not known. */
  readonly cpu: number | null;
}

export interface Measured {
  readonly load: LoadName;
  readonly floor: Sample;
  /** By the program's name. */
  readonly shares: ReadonlyMap<string, Share>;
}

const root = fileURLToPath(new URL('../..', import.meta.url));

async function startAll(options: Options, login: Login, cleanup: Cleanup): Promise<ReadonlyMap<string, Program>> {
  const variables = variablesFor(login);
  const programs = new Map<string, Program>();
  for (const mode of options.modes) {
    for (const [name, checkout] of [
      [mode, root],
      [`${mode} before`, options.baseline],
    ] as const) {
      if (checkout === null) continue;
      const program = await startProgram(checkout, mode, variables);
      cleanup(() => program.stop());
      programs.set(name, program);
    }
  }
  return programs;
}

/** A program's samples of one load. */
class Samples {
  readonly #program: Program;
  readonly #samples: Sample[] = [];
  readonly #cpu: number[] = [];

  constructor(program: Program) {
    this.#program = program;
  }

  async take(measure: (port: number) => Promise<Sample>): Promise<void> {
    const before = await this.#program.cpu();
    const sample = await measure(this.#program.port);
    const after = await this.#program.cpu();
    this.#samples.push(sample);
    if (before !== null && after !== null) this.#cpu.push(((after - before) * 1000) / (sample.count + WARM_UP));
  }

  shareOf(floor: Sample): Share {
    const sample = medians(this.#samples);
    return { ...sample, ratio: sample.rate / floor.rate, cpu: this.#cpu.length === 0 ? null : median(this.#cpu) };
  }
}

/** Seconds of a load before it is measured. */
const COMPILING = 2;

async function measureLoad(
  load: LoadName,
  { seconds, rounds }: Options,
  login: Login,
  programs: ReadonlyMap<string, Program>,
  run: (task: Task) => Promise<Sample>,
): Promise<Measured> {
  const floors: Sample[] = [];
  // What comes first finds code that is not compiled yet.
  for (const { port } of programs.values()) {
    await run({ kind: 'http', load, seconds: COMPILING, clients: CLIENTS, port });
  }
  const samples = new Map(Array.from(programs, ([name, program]) => [name, new Samples(program)]));
  for (let round = 0; round < rounds; round++) {
    floors.push(await run({ kind: 'floor', load, seconds, clients: POOL, login }));
    for (const each of samples.values()) {
      await each.take((port) => run({ kind: 'http', load, seconds, clients: CLIENTS, port }));
    }
  }
  const floor = medians(floors);
  return { load, floor, shares: new Map(Array.from(samples, ([name, each]) => [name, each.shareOf(floor)])) };
}

/** Measures every load that is asked for, and gives each as soon as it is known. */
export async function* measureShares(options: Options, login: Login, cleanup: Cleanup): AsyncGenerator<Measured> {
  const generators = new Set<ChildProcess>();
  const programs = await startAll(options, login, cleanup);
  cleanup(async () => {
    for (const child of generators) child.kill();
  });
  const run = (task: Task): Promise<Sample> =>
    generate(task, (child) => {
      generators.add(child);
      child.once('close', () => generators.delete(child));
    });
  for (const load of options.only) yield await measureLoad(load, options, login, programs, run);
}

const rate = (name: string, { rate, p50, p99 }: Sample): string =>
  `  ${name.padEnd(14)}${rate.toFixed(0).padStart(7)}/s   p50 ${p50.toFixed(2)} ms   p99 ${p99.toFixed(2)} ms`;

/** For people: a few lines for each load. */
export function describe({ load, floor, shares }: Measured): string {
  const lines = [load, rate('floor', floor)];
  for (const [name, share] of shares) {
    const cpu = share.cpu === null ? '' : `   cpu ${share.cpu.toFixed(0)} µs`;
    lines.push(`${rate(name, share)}${cpu}   ratio ${share.ratio.toFixed(3)}`);
  }
  lines.push(`  (PostgREST 16.2, measured elsewhere: ratio ${loads[load].postgrest})`);
  return `${lines.join('\n')}\n`;
}

const rounded = (value: number, digits: number): number => Number(value.toFixed(digits));

const figures = ({ rate, p50, p99 }: Sample) => ({
  rate: rounded(rate, 0),
  p50: rounded(p50, 3),
  p99: rounded(p99, 3),
});

/** For programs: an object by load. */
export function toJson(measured: readonly Measured[]): string {
  const entries = measured.map(({ load, floor, shares }) => {
    const programs = Array.from(shares, ([name, share]) => {
      const cpu = share.cpu === null ? null : rounded(share.cpu, 1);
      return [name, { ...figures(share), cpu, ratio: rounded(share.ratio, 3) }];
    });
    return [load, { floor: figures(floor), ...Object.fromEntries(programs) }];
  });
  return JSON.stringify(Object.fromEntries(entries));
}
