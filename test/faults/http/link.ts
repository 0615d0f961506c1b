/** Faults on one of a system's links, over HTTP. */
import type postgres from 'postgres';
import { expect } from 'vitest';
import { SEED } from '../amount.ts';
import type { Fault, FaultProxy } from '../proxy.ts';
import { Random } from '../random.ts';
import { isLarge } from './oracle.ts';
import { failures, ORDINARY, run } from './run.ts';
import type { Place, System, Topology } from './system.ts';

/** What a client may be told: the connection lost, the pooler or the database away for a moment, too long a wait, a message cut short. */
const LOST = /^(502 EDGE00[24]|503 PGRST00[012]|504 PGRST003|503 57P01)$/;
/** Bytes that nobody sent may be refused by whoever gets them, for any reason; they are no fault of ours. */
const GARBLED = /^[45]\d\d (?!EDGE000)/;

/** Faults that change what is sent. */
const CHANGES: ReadonlySet<Fault> = new Set(['garbage', 'change', 'repeat', 'omit']);

export interface Schedule {
  readonly name: string;
  readonly faults: readonly [Fault, ...Fault[]];
}

/** For the titles of tests. */
export const named = (schedules: readonly Schedule[]): readonly (readonly [string, Schedule])[] =>
  schedules.map((schedule) => [schedule.name, schedule]);

export const resetsAndCuts: Schedule = { name: 'resets and cuts', faults: ['reset', 'cut', 'half-close'] };
export const garbage: Schedule = { name: 'garbage', faults: ['garbage'] };
export const everythingElse: Schedule = {
  name: 'everything else at once',
  faults: ['delay', 'bytes', 'reset', 'cut', 'half-close', 'freeze'],
};
/** For links with TLS. */
export const otherBytes: Schedule = { name: 'other bytes than were sent', faults: ['garbage', 'change', 'repeat'] };
/** For links with TLS: what never comes is waited for until a client goes away and its statement cannot be cancelled either. */
export const missingBytes: Schedule = { name: 'bytes missing', faults: ['omit', 'change'] };

/** How many chunks pass between two faults of a connection, on average. */
const INTERVAL = 30;

export interface FaultyLink {
  readonly topology: Topology;
  readonly link: (system: System) => FaultProxy | null;
  /** Whether TLS checks every byte. */
  readonly encrypted: boolean;
}

/** Without TLS nobody can tell bytes that were put into a long row from the row's own. */
function kindsUnder(changes: boolean, encrypted: boolean): typeof ORDINARY {
  if (encrypted || !changes) return ORDINARY;
  const [first, ...others] = ORDINARY;
  return [first, ...others.filter((kind) => !isLarge(kind))];
}

/** Puts load on a system with faults on the link. Leaves it as it was. */
export async function faulty(
  system: System,
  place: Place,
  sql: postgres.Sql,
  { topology, link, encrypted }: FaultyLink,
  { name, faults }: Schedule,
  requests: number,
): Promise<void> {
  const proxy = link(system);
  if (proxy === null) throw new Error('no such link');
  const changes = faults.some((fault) => CHANGES.has(fault));
  const faultsDone = (): number => [...proxy.counts.faults.values()].reduce((sum, count) => sum + count, 0);
  const before = faultsDone();
  proxy.inject({ faults, interval: INTERVAL, random: new Random(SEED) });
  const tally = await run(system, place, sql, {
    name: `${topology}_${proxy === system.hop ? 'hop' : 'db'}_${name}`.replaceAll(' ', '_'),
    requests,
    kinds: kindsUnder(changes, encrypted),
    expected: changes && !encrypted ? GARBLED : LOST,
    // A length that nobody meant is waited for, and so is what never comes. The client ends that.
    ...(changes && { patience: 500 }),
    // A frozen link tells nobody: somebody has to lose patience.
    fault: {
      every: 500,
      times: 0,
      happens: async () => {
        system.toDatabase.thaw();
        system.hop?.thaw();
      },
    },
  });
  expect(faultsDone() - before).toBeGreaterThan(requests / 200);
  expect(failures(tally, '502 EDGE002')).toBeLessThan(requests / 2);
}
