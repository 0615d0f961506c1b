import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { plainSettings } from '../../shared/snapshot/settings.fixture.ts';
import { emptySnapshot } from '../../shared/snapshot/snapshot.fixture.ts';
import type { Snapshot } from '../../shared/snapshot/types.ts';
import { contentOf } from '../../shared/snapshot/version.ts';
import { UnknownKeyError, undecodable } from '../auth/errors.ts';
import type { State } from '../state.ts';
import { fetchState } from './fetch-state.ts';
import { type Fetch, HttpHop } from './http.ts';
import { Isolate, RemoteStates, type StateFetcher } from './remote-states.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** The n-th snapshot that a pooler loaded, at this time. */
const snapshotOf = (n: number, time: number): Snapshot =>
  emptySnapshot({
    version: `${time.toString(36)}-v${n}`,
    loadedAt: time,
    settings: { ...plainSettings, openapiMode: 'disabled', jwtCacheMaxEntries: 10 },
  });

const secretRefused = { kind: 'refused', reason: 'secret', message: 'm', status: 401 };
const refusal = new Response(null, {
  status: 401,
  headers: { 'edgerest-failure': JSON.stringify({ snapshot: null, failure: secretRefused }) },
});

/** A pooler over HTTP, as far as the snapshot goes. */
class Pooler {
  /** Which snapshot it has; null before the first. */
  loaded: number | null = 1;
  /** When it loaded that, by the database's clock; as late as it is far by default. */
  time: number | null = null;
  away = false;
  /** Whether it has another secret. */
  isStranger = false;
  /** What the answers wait for. */
  before: Promise<unknown> = Promise.resolve();
  /** The secret that its one key is made of; null without keys. */
  secret: string | null = null;
  /** The next answer about keys is from before the snapshot was loaded. */
  late = false;
  /** How often it was asked for the snapshot and for the keys, and how often it sent the snapshot. */
  questions = 0;
  keys = 0;
  sent = 0;
  /** The key that its issuer gives it when it is asked for. */
  issued: string | null = null;
  /** The names of keys that it was asked for. */
  readonly unknown: (string | null)[] = [];

  readonly fetch: Fetch = async (url, init) => {
    const isSnapshot = url.endsWith('/v1/snapshot');
    if (isSnapshot) this.questions++;
    else this.keys++;
    const { searchParams } = new URL(url);
    if (searchParams.has('unknown')) this.#find(searchParams.get('unknown'));
    const answer = isSnapshot ? this.#snapshot(new Headers(init.headers).get('if-none-match')) : this.#keys();
    const aborted = new Promise<never>((_, reject) => {
      init.signal?.addEventListener('abort', () => reject(new Error('aborted')));
    });
    await Promise.race([this.before, aborted]);
    if (this.away) throw new TypeError('fetch failed');
    return this.isStranger ? refusal : answer;
  };

  #find(kid: string | null): void {
    this.unknown.push(kid);
    if (kid !== this.issued || this.loaded === null) return;
    this.issued = null;
    this.loaded += 1;
  }

  #keys(): Response {
    const keys = this.secret === null ? null : { keys: [{ kty: 'oct', k: this.secret, alg: 'HS256' }] };
    const old = this.late;
    this.late = false;
    return old
      ? Response.json(null, { headers: { 'edgerest-snapshot': '0-v0' } })
      : Response.json(keys, { headers: { 'edgerest-snapshot': this.snapshot.version } });
  }

  get snapshot(): Snapshot {
    const loaded = this.loaded ?? 0;
    return snapshotOf(loaded, this.time ?? loaded);
  }

  #snapshot(known: string | null): Response {
    if (this.loaded === null) {
      const failure = { kind: 'unavailable', reason: 'no snapshot', message: 'm', detail: null };
      return new Response(null, {
        status: 503,
        headers: { 'edgerest-failure': JSON.stringify({ snapshot: null, failure }) },
      });
    }
    const { snapshot } = this;
    const headers = { 'edgerest-snapshot': snapshot.version };
    if (known?.includes(`"v${this.loaded}"`)) return new Response(null, { status: 304, headers });
    this.sent++;
    return Response.json(snapshot, { headers });
  }
}

interface Worker {
  readonly pooler: Pooler;
  readonly isolate: Isolate;
  /** Each request has its own. It asks this pooler, the worker's first by default. */
  states(of?: Pooler): RemoteStates;
  /** Work that goes on after a response. */
  readonly background: Promise<unknown>[];
}

function worker(): Worker {
  const pooler = new Pooler();
  const isolate = new Isolate();
  const background: Promise<unknown>[] = [];
  const states = ({ fetch }: Pooler = pooler): RemoteStates => {
    const hop = new HttpHop({ url: 'http://localhost:1', secret: 's'.repeat(32), fetch });
    const fetcher: StateFetcher = { fetchState: (known, signal, unknown) => fetchState(hop, known, signal, unknown) };
    return new RemoteStates(fetcher, isolate, (work) => background.push(work));
  };
  return { pooler, isolate, background, states };
}

/** A worker that has the first snapshot, and has had it for a while. */
async function warm(): Promise<Worker> {
  const warmed = worker();
  await warmed.states().current();
  await vi.advanceTimersByTimeAsync(60_000);
  return warmed;
}

/** Which snapshot it is. */
const versionOf = (state: State | null): string | null => (state === null ? null : contentOf(state.schema.version));

/** Lets time pass until it is settled. Gives the version, or null where there is nothing newer. */
async function settled(state: Promise<State | null>): Promise<string | null> {
  const pending = state.then(versionOf);
  pending.catch(() => undefined);
  await vi.advanceTimersByTimeAsync(20_000);
  return await pending;
}

const unavailable = (details: string): unknown =>
  expect.objectContaining({ status: 503, code: 'PGRST002', details, message: expect.stringMatching(/schema cache/) });

describe('a cold start', () => {
  test('asks once for snapshot and keys, and never again for what it has', async () => {
    const { pooler, states } = worker();
    const first = await states().current();
    expect(versionOf(first)).toBe('v1');
    expect(states().current()).toBe(first);
    expect([pooler.questions, pooler.keys]).toEqual([1, 1]);
  });

  test('each request asks by itself: none waits for a promise of another', async () => {
    const { pooler, states } = worker();
    const answered = Promise.withResolvers<void>();
    pooler.before = answered.promise;
    const stuck = states().current();
    pooler.before = Promise.resolve();
    expect(versionOf(await states().current())).toBe('v1');
    answered.resolve();
    expect(versionOf(await stuck)).toBe('v1');
  });

  test('fails with the reason while the pooler gives nothing, and succeeds when it does', async () => {
    const { pooler, states } = worker();
    pooler.away = true;
    await expect(states().current()).rejects.toEqual(unavailable('The pooler cannot be reached.'));
    pooler.away = false;
    pooler.isStranger = true;
    await expect(states().current()).rejects.toMatchObject({
      status: 500,
      code: 'EDGE004',
      details: expect.stringContaining('EDGEREST_POOLER_SECRET'),
    });
    pooler.isStranger = false;
    pooler.loaded = null;
    await expect(states().current()).rejects.toEqual(unavailable('The pooler has not loaded it yet.'));
    pooler.loaded = 1;
    expect(versionOf(await states().current())).toBe('v1');
  });

  test('gives up on a pooler that never answers', async () => {
    const { pooler, states } = worker();
    pooler.before = new Promise(() => undefined);
    await expect(settled(Promise.resolve(states().current()))).rejects.toEqual(
      unavailable('The pooler cannot be reached.'),
    );
  });
});

describe('what the snapshot lacks', () => {
  test('is looked for in a newer one', async () => {
    const { pooler, states } = await warm();
    expect(await settled(states().newerThan('v1'))).toBeNull();
    pooler.loaded = 2;
    expect(await settled(states().newerThan('v1'))).toBe('v2');
    expect(versionOf(await states().current())).toBe('v2');
  });

  test('costs the pooler ten questions in a second over time, whoever asks', async () => {
    const { pooler, states } = await warm();
    const asked = pooler.questions;
    const answers: Promise<State | null>[] = [];
    for (let n = 0; n < 3000; n++) {
      answers.push(states().newerThan('v1'));
      await vi.advanceTimersByTimeAsync(1);
    }
    expect(await settled(Promise.all(answers).then((all) => all[0] ?? null))).toBeNull();
    expect((await Promise.all(answers)).every((answer) => answer === null)).toBe(true);
    // Ten at once, and one in each tenth of the three seconds.
    expect(pooler.questions - asked).toBeLessThanOrEqual(41);
  });

  test('is asked for at once where little was asked before, and by many with one question', async () => {
    const { pooler, states } = await warm();
    const asked = pooler.questions;
    for (let n = 0; n < 10; n++) expect(await states().newerThan('v1')).toBeNull();
    expect(pooler.questions - asked).toBe(10);
    await vi.advanceTimersByTimeAsync(5000);

    const answered = Promise.withResolvers<void>();
    pooler.before = answered.promise;
    const all = Array.from({ length: 500 }, () => states().newerThan('v1'));
    await vi.advanceTimersByTimeAsync(20);
    expect(pooler.questions - asked).toBe(11);
    answered.resolve();
    await vi.advanceTimersByTimeAsync(10);
    await Promise.all(all);
    // Those that came after the first question was put waited for another.
    expect(pooler.questions - asked).toBe(12);
  });

  test('is found though a question that was put before is answered without it', async () => {
    const { pooler, states } = await warm();
    const slow = Promise.withResolvers<void>();
    pooler.before = slow.promise;
    const early = states().newerThan('v1');
    pooler.before = Promise.resolve();
    pooler.loaded = 2; // after the early question had been looked at, in the same millisecond
    const late = states().newerThan('v1');
    slow.resolve();
    expect(await settled(late)).toBe('v2');
    expect(await settled(early)).toBeNull();
  });

  test('is found though the newer one that comes first lacks it too', async () => {
    const { pooler, states } = await warm();
    const slow = Promise.withResolvers<void>();
    pooler.before = slow.promise;
    pooler.loaded = 2;
    const early = states().newerThan('v1');
    pooler.before = Promise.resolve();
    pooler.loaded = 3;
    const late = states().newerThan('v1');
    slow.resolve();
    expect(await settled(early)).toBe('v2');
    expect(await settled(late)).toBe('v3');
  });

  test('does not wait for the question of a request that has gone', async () => {
    const { pooler, states } = await warm();
    pooler.before = new Promise(() => undefined);
    states()
      .newerThan('v1')
      .catch(() => undefined);
    pooler.before = Promise.resolve();
    pooler.loaded = 2;
    expect(versionOf(await vi.waitFor(() => states().newerThan('v1')))).toBe('v2');
  });

  test('is not called missing while the pooler is away: it may be there', async () => {
    const { pooler, states } = await warm();
    pooler.away = true;
    const both = Promise.allSettled([states().newerThan('v1'), states().newerThan('v1')]);
    await vi.advanceTimersByTimeAsync(1000);
    const reason = unavailable('The pooler cannot be reached.');
    expect(await both).toEqual([
      { status: 'rejected', reason },
      { status: 'rejected', reason },
    ]);
    pooler.away = false;
    expect(await settled(states().newerThan('v1'))).toBeNull();
  });

  test('is not waited for longer than the pooler may take to load', async () => {
    const { pooler, states } = await warm();
    pooler.before = new Promise(() => undefined);
    const all = Promise.allSettled(Array.from({ length: 10 }, () => states().newerThan('v1')));
    await vi.advanceTimersByTimeAsync(40_000);
    expect((await all).map(({ status }) => status)).toEqual(Array(10).fill('rejected'));
  });

  test('is looked for whatever happens to the clock', async () => {
    const { pooler, states } = await warm();
    expect(await settled(states().newerThan('v1'))).toBeNull();
    vi.setSystemTime(0);
    pooler.loaded = 2;
    expect(await settled(states().newerThan('v1'))).toBe('v2');
  });
});

describe('a newer version in an answer', () => {
  test('is fetched in the background, once', async () => {
    const { pooler, states, background } = await warm();
    pooler.loaded = 2;
    const asked = pooler.questions;
    for (let n = 0; n < 5; n++) states().seen('2-v2');
    expect(background).toHaveLength(1);
    expect(versionOf(await states().current())).toBe('v1');
    await Promise.all(background);
    expect(versionOf(await states().current())).toBe('v2');
    states().seen('2-v2');
    expect(background).toHaveLength(1);
    expect(pooler.questions - asked).toBe(1);
  });

  test('is fetched later where it could not be', async () => {
    const { pooler, states, background } = await warm();
    pooler.loaded = 2;
    pooler.away = true;
    states().seen('2-v2');
    await Promise.all(background);
    expect(versionOf(await states().current())).toBe('v1');
    pooler.away = false;
    await vi.advanceTimersByTimeAsync(100);
    states().seen('2-v2');
    await Promise.all(background);
    expect(versionOf(await states().current())).toBe('v2');
  });
});

test('an older snapshot never takes the place of a newer one', async () => {
  const { pooler, states, background } = await warm();
  const slow = Promise.withResolvers<void>();
  pooler.before = slow.promise;
  pooler.loaded = 2;
  states().seen('2-v2');
  await vi.advanceTimersByTimeAsync(100);
  pooler.before = Promise.resolve();
  pooler.loaded = 3;
  states().seen('3-v3');
  await background[1];
  expect(versionOf(await states().current())).toBe('v3');
  slow.resolve();
  await Promise.all(background);
  expect(versionOf(await states().current())).toBe('v3');
});

test('keys are fetched again with each new snapshot', async () => {
  const { pooler, states } = await warm();
  await settled(states().newerThan('v1'));
  expect(pooler.keys).toBe(1);
  pooler.loaded = 2;
  await settled(states().newerThan('v1'));
  expect(pooler.keys).toBe(2);
});

test('keys from before the snapshot are fetched once more', async () => {
  const { pooler, states } = worker();
  pooler.secret = 'c2VjcmV0';
  pooler.late = true;
  expect((await states().current()).keys).toMatchObject({ keys: [{ k: 'c2VjcmV0' }] });
  expect(pooler.keys).toBe(2);
});

const refused = undecodable('No suitable key or wrong key type');

describe('a token that was refused', () => {
  test('is judged again where the pooler has changed its keys', async () => {
    const { pooler, states } = await warm();
    pooler.loaded = 2;
    expect(await settled(states().afterRefusal('v1', refused))).toBe('v2');
  });

  test('is refused where it has not, or cannot be asked', async () => {
    const { pooler, states } = await warm();
    expect(await settled(states().afterRefusal('v1', refused))).toBeNull();
    pooler.away = true;
    expect(await settled(states().afterRefusal('v1', refused))).toBeNull();
  });

  test('asks hardly more than once a second however many there are', async () => {
    const { pooler, states } = await warm();
    const before = pooler.questions;
    const all = Array.from({ length: 50 }, () => states().afterRefusal('v1', refused));
    await vi.advanceTimersByTimeAsync(500);
    expect(await Promise.all([...all, states().afterRefusal('v1', refused)])).toEqual(Array(51).fill(null));
    expect(pooler.questions - before).toBeLessThanOrEqual(2);
  });
});

describe('a token with a key that is not known', () => {
  const unknown = (kid: string | null): UnknownKeyError => new UnknownKeyError(kid, refused);

  test('has the pooler look for it, and is judged again by what it found', async () => {
    const { pooler, states } = await warm();
    pooler.issued = 'new/key';
    expect(await settled(states().afterRefusal('v1', unknown('new/key')))).toBe('v2');
    expect(pooler.unknown).toEqual(['new/key']);
    expect(versionOf(await states().current())).toBe('v2');
  });

  test('does so even where the pooler was asked for a snapshot a moment ago', async () => {
    const { pooler, states } = await warm();
    await settled(states().newerThan('v1'));
    pooler.issued = 'new';
    await states().newerThan('v1');
    expect(await settled(states().afterRefusal('v1', unknown('new')))).toBe('v2');
  });

  test('is refused where nobody has it, at the price of one question a second', async () => {
    const { pooler, states } = await warm();
    const questions = pooler.questions;
    for (const kid of ['a', 'b', null]) expect(await states().afterRefusal('v1', unknown(kid))).toBeNull();
    await vi.advanceTimersByTimeAsync(1001);
    expect(await states().afterRefusal('v1', unknown(null))).toBeNull();
    expect(pooler.unknown).toEqual(['a', '']);
    expect(pooler.questions).toBe(questions);
  });

  test('is refused where the pooler is away, and the next one asks again', async () => {
    const { pooler, states } = await warm();
    pooler.away = true;
    expect(await states().afterRefusal('v1', unknown('new'))).toBeNull();
    pooler.away = false;
    pooler.issued = 'new';
    expect(await settled(states().afterRefusal('v1', unknown('new')))).toBe('v2');
  });

  test('gets what another has found', async () => {
    const { pooler, states } = await warm();
    pooler.issued = 'new';
    const both = [states().afterRefusal('v1', unknown('new')), states().afterRefusal('v1', unknown('new'))];
    await vi.advanceTimersByTimeAsync(20_000);
    expect((await Promise.all(both)).map(versionOf)).toEqual(['v2', 'v2']);
    expect(await settled(states().afterRefusal('v1', unknown('new')))).toBe('v2');
  });
});

describe('several poolers', () => {
  /** A worker that has the first snapshot of one pooler, and another pooler with this one. */
  async function two(loaded: number, time: number) {
    const first = await warm();
    const other = new Pooler();
    other.loaded = loaded;
    other.time = time;
    return { ...first, other };
  }

  test('that have loaded the same at different times are one: nothing is fetched', async () => {
    const { pooler, other, states, background } = await two(1, 1000);
    states().seen(other.snapshot.version);
    states().seen(pooler.snapshot.version);
    expect(background).toHaveLength(0);
    expect(await settled(states(other).newerThan('v1'))).toBeNull();
    expect(await settled(states(pooler).newerThan('v1'))).toBeNull();
    expect([pooler.sent, other.sent, other.keys]).toEqual([1, 0, 0]);
  });

  test('of which one is behind: the newer one is kept, and neither is fetched twice', async () => {
    const { pooler, other, states, background } = await two(2, 50);
    states(other).seen(other.snapshot.version);
    await Promise.all(background);
    for (let n = 0; n < 100; n++) {
      await vi.advanceTimersByTimeAsync(200);
      states(pooler).seen(pooler.snapshot.version);
      states(other).seen(other.snapshot.version);
      expect(versionOf(await states().current())).toBe('v2');
    }
    await Promise.all(background);
    expect(background).toHaveLength(1);
    expect([pooler.sent, other.sent]).toEqual([1, 1]);
  });

  test('what one has loaded again lately is newer than what another loaded in between', async () => {
    const { pooler, other, states, background } = await two(2, 50);
    pooler.time = 100;
    states().seen(pooler.snapshot.version);
    states().seen(other.snapshot.version);
    expect(background).toHaveLength(0);
    expect(versionOf(await states().current())).toBe('v1');
  });

  test('an error is judged by the one that was asked, whichever looks newer, without fetching it again', async () => {
    const { pooler, other, states } = await two(2, 0);
    for (let n = 0; n < 5; n++) {
      expect(await settled(states(other).newerThan('v1'))).toBe('v2');
      states(pooler).seen(pooler.snapshot.version);
      expect(await settled(states(pooler).newerThan('v1'))).toBeNull();
      states(pooler).seen(pooler.snapshot.version);
    }
    expect([pooler.sent, other.sent]).toEqual([1, 1]);
  });

  test('one whose clock is behind is heard when nobody speaks for what looks newer', async () => {
    const { pooler, states, background } = await warm();
    // It was started anew, with another configuration or on another server.
    pooler.loaded = 2;
    pooler.time = 0;
    states().seen(pooler.snapshot.version);
    await Promise.all(background);
    expect(versionOf(await states().current())).toBe('v2');
    states().seen(pooler.snapshot.version);
    pooler.loaded = 3;
    for (let n = 0; n < 30; n++) {
      await vi.advanceTimersByTimeAsync(200);
      states().seen(pooler.snapshot.version);
    }
    await Promise.all(background);
    expect(versionOf(await states().current())).toBe('v3');
    expect(background.length).toBeLessThanOrEqual(2);
  });
});
