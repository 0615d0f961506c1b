import { expect, test } from 'vitest';
import { emptySnapshot } from '../../shared/snapshot/snapshot.fixture.ts';
import type { Snapshot } from '../../shared/snapshot/types.ts';
import { type SnapshotEvent, SnapshotStore } from './store.ts';

/** A load whose attempts end when the test says so. */
class Loads {
  readonly started: PromiseWithResolvers<Snapshot>[] = [];
  #waiting: { readonly count: number; readonly resolve: () => void }[] = [];

  readonly load = (): Promise<Snapshot> => {
    const attempt = Promise.withResolvers<Snapshot>();
    this.started.push(attempt);
    for (const { count, resolve } of this.#waiting) if (this.started.length >= count) resolve();
    return attempt.promise;
  };

  /** Resolves when so many attempts have begun. */
  async until(count: number): Promise<void> {
    if (this.started.length >= count) return;
    await new Promise<void>((resolve) => this.#waiting.push({ count, resolve }));
  }

  succeed(attempt: number, version: string): void {
    this.started[attempt]?.resolve(snapshot(version));
  }

  fail(attempt: number): void {
    this.started[attempt]?.reject(new Error('database is away'));
  }
}

const snapshot = (version: string): Snapshot => emptySnapshot({ version });

const quick = { cooldown: 1, retry: { first: 1, most: 4 } };

test('there is none before the first load ended', async () => {
  const loads = new Loads();
  const store = new SnapshotStore({ load: loads.load, ...quick });
  expect(store.current()).toBeNull();
  const reloaded = store.reload();
  expect(store.current()).toBeNull();
  loads.succeed(0, 'a');
  expect(await reloaded).toBe(true);
  expect(store.current()?.version).toBe('a');
  store.close();
});

test('a burst of reloads is the one that runs and one after it', async () => {
  const loads = new Loads();
  const seen: string[] = [];
  const store = new SnapshotStore({ load: loads.load, ...quick });
  store.subscribe((s) => seen.push(s.version));
  const first = store.reload();
  const rest = [store.reload(), store.reload(), store.reload()];
  loads.succeed(0, 'a');
  expect(await first).toBe(true);
  await loads.until(2);
  loads.succeed(1, 'b');
  expect(await Promise.all(rest)).toEqual([true, true, true]);
  expect(seen).toEqual(['a', 'b']);
  expect(loads.started).toHaveLength(2);
  store.close();
});

test('a failed reload keeps the old one and is tried again until it succeeds, ever later', async () => {
  const loads = new Loads();
  const events: SnapshotEvent[] = [];
  const store = new SnapshotStore({ load: loads.load, observe: (e) => events.push(e), ...quick });
  const first = store.reload();
  loads.succeed(0, 'a');
  await first;
  const second = store.reload();
  await loads.until(2);
  loads.fail(1);
  expect(await second).toBe(false);
  expect(store.current()?.version).toBe('a');
  for (const attempt of [2, 3, 4]) {
    await loads.until(attempt + 1);
    loads.fail(attempt);
  }
  await loads.until(6);
  const next = new Promise<string>((resolve) => store.subscribe((s) => resolve(s.version)));
  loads.succeed(5, 'b');
  expect(await next).toBe('b');
  expect(events.map((e) => (e.kind === 'loaded' ? e.snapshot.version : e.retryIn))).toEqual(['a', 1, 2, 4, 4, 'b']);
  store.close();
});

test('a reload does not wait for the next retry', async () => {
  const loads = new Loads();
  const store = new SnapshotStore({ load: loads.load, cooldown: 1, retry: { first: 1e8, most: 1e9 } });
  const first = store.reload();
  loads.fail(0);
  expect(await first).toBe(false);
  const second = store.reload();
  await loads.until(2);
  loads.succeed(1, 'a');
  expect(await second).toBe(true);
  store.close();
});

test('it settles when what was asked for is loaded; a retry does not hold it up', async () => {
  const loads = new Loads();
  const store = new SnapshotStore({ load: loads.load, cooldown: 1, retry: { first: 1e8, most: 1e9 } });
  await store.settled();
  void store.reload();
  void store.reload();
  const settled = store.settled().then(() => store.current()?.version);
  loads.succeed(0, 'a');
  await loads.until(2);
  loads.succeed(1, 'b');
  expect(await settled).toBe('b');
  const failing = store.reload();
  await loads.until(3);
  loads.fail(2);
  await failing;
  await store.settled();
  expect(store.current()?.version).toBe('b');
  store.close();
});

test('closed, it neither loads nor tells', async () => {
  const loads = new Loads();
  const seen: string[] = [];
  const store = new SnapshotStore({ load: loads.load, ...quick });
  store.subscribe((s) => seen.push(s.version));
  const running = store.reload();
  const waiting = store.reload();
  store.close();
  loads.succeed(0, 'a');
  expect(await running).toBe(false);
  expect(await waiting).toBe(false);
  expect(await store.reload()).toBe(false);
  expect(store.current()).toBeNull();
  expect(seen).toEqual([]);
  expect(loads.started).toHaveLength(1);
});
