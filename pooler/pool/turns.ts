import { hashOf } from './hash.ts';
import { type AdmissionQueue, FifoQueue, type Queued } from './queue.ts';

/** Milliseconds of connection time that a turn is worth. */
const worth = 10;
/** Turns that a key may owe: what took longer is forgiven, lest one slow query lock its key out. */
const mostOwed = 100;
/** Keys that have a lane of their own, and lanes for all others. */
const ownLanes = 256;
const sharedLanes = 64;

/** Those of a key (or, in a shared lane, of several) who wait. */
interface Lane<T extends Queued> {
  readonly id: number;
  /** Null where it is shared or nobody's. */
  key: string | null;
  readonly waiters: FifoQueue<T>;
  /** The round in which it is served next. */
  turn: number;
  /** Who of the same round comes first. */
  order: number;
  /** Where it stands among those with somebody in them. */
  at: number;
}

/**
 * Deficit round robin over the keys: each is served one request a round, in turn. A round is worth some connection time; who used more,
 * which is known afterwards only, owes the next rounds. So requests that are short take strict turns, and keys whose requests are long
 * get the same time, not the same number. A key that comes anew is served in the present round. When nobody waits, nothing is owed.
 *
 * The number of keys that are told apart is bounded: the rest share lanes by a hash.
 */
export class TurnQueue<T extends Queued> implements AdmissionQueue<T> {
  readonly #worth: number;
  readonly #ownLanes: number;
  readonly #shared: readonly Lane<T>[];
  readonly #lanes: Lane<T>[];
  readonly #byKey = new Map<string, Lane<T>>();
  readonly #free: Lane<T>[] = [];
  /** Lanes with somebody in them, in no order. */
  readonly #active: Lane<T>[] = [];
  /** So that nobody knows which keys meet in a lane. */
  readonly #seed = Math.floor(Math.random() * 2 ** 32);
  /** How many wait in shared lanes. */
  #sharing = 0;
  #turn = 0;
  #order = 0;
  #length = 0;

  /** `turnWorth`: milliseconds of connection time. */
  constructor(turnWorth: number = worth, own: number = ownLanes) {
    this.#worth = turnWorth;
    this.#ownLanes = own;
    this.#shared = Array.from({ length: sharedLanes }, (_, id) => newLane(id));
    this.#lanes = [...this.#shared];
  }

  get length(): number {
    return this.#length;
  }

  lengthOf(key: string): number {
    return (this.#byKey.get(key) ?? this.#sharedBy(key))?.waiters.length ?? 0;
  }

  push(waiter: T): void {
    const lane = this.#laneOf(waiter.key);
    if (lane.waiters.length === 0) {
      lane.turn = Math.max(lane.turn, this.#turn);
      lane.order = this.#order++;
      lane.at = this.#active.push(lane) - 1;
    }
    lane.waiters.push(waiter);
    waiter.lane = lane.id;
    if (lane.key === null) this.#sharing++;
    this.#length++;
  }

  shift(): T | undefined {
    let next: Lane<T> | undefined;
    for (const lane of this.#active) if (next === undefined || isBefore(lane, next)) next = lane;
    const waiter = next?.waiters.shift();
    if (next === undefined || waiter === undefined) return undefined;
    this.#turn = next.turn;
    next.turn++;
    next.order = this.#order++;
    this.#left(next, waiter);
    return waiter;
  }

  remove(waiter: T): void {
    const lane = this.#lanes[waiter.lane];
    if (lane === undefined || waiter.place < 0) return;
    const before = lane.waiters.length;
    lane.waiters.remove(waiter);
    if (lane.waiters.length < before) this.#left(lane, waiter);
  }

  used(key: string, milliseconds: number): void {
    if (milliseconds < this.#worth || this.#length === 0) return;
    const lane = this.#laneOf(key);
    const turn = Math.max(lane.turn, this.#turn) + Math.floor(milliseconds / this.#worth);
    lane.turn = Math.min(turn, this.#turn + mostOwed);
  }

  *waiting(): Iterable<T> {
    for (const lane of this.#active) yield* lane.waiters.waiting();
  }

  #left(lane: Lane<T>, waiter: T): void {
    waiter.lane = -1;
    if (lane.key === null) this.#sharing--;
    this.#length--;
    if (lane.waiters.length > 0) return;
    const last = this.#active.pop();
    if (last !== undefined && last !== lane) {
      this.#active[lane.at] = last;
      last.at = lane.at;
    }
    if (this.#length === 0) this.#forget(() => true);
  }

  get #isFull(): boolean {
    return this.#free.length === 0 && this.#lanes.length >= this.#ownLanes + sharedLanes;
  }

  #laneOf(key: string): Lane<T> {
    const known = this.#byKey.get(key) ?? this.#sharedBy(key);
    if (known !== null) return known;
    // Those who owe no more than their next turn lose nothing.
    if (this.#isFull) this.#forget((lane) => lane.turn <= this.#turn + 1);
    if (this.#isFull) return this.#sharedLane(key);
    const lane = this.#free.pop() ?? this.#newLane();
    lane.key = key;
    lane.turn = 0;
    this.#byKey.set(key, lane);
    return lane;
  }

  /** The lane in which others of the key may be waiting already. */
  #sharedBy(key: string): Lane<T> | null {
    if (this.#sharing === 0) return null;
    const lane = this.#sharedLane(key);
    return lane.waiters.length > 0 ? lane : null;
  }

  #newLane(): Lane<T> {
    const lane: Lane<T> = newLane(this.#lanes.length);
    this.#lanes.push(lane);
    return lane;
  }

  #sharedLane(key: string): Lane<T> {
    const lane = this.#shared[hashOf(key, this.#seed) % sharedLanes];
    if (lane === undefined) throw new RangeError('a lane that is not there');
    return lane;
  }

  /** Takes their lanes from keys of which nobody waits. */
  #forget(which: (lane: Lane<T>) => boolean): void {
    for (const lane of this.#byKey.values()) {
      if (lane.key === null || lane.waiters.length > 0 || !which(lane)) continue;
      this.#byKey.delete(lane.key);
      lane.key = null;
      this.#free.push(lane);
    }
    if (this.#length > 0) return;
    for (const lane of this.#shared) lane.turn = 0;
    this.#turn = 0;
  }
}

function newLane<T extends Queued>(id: number): Lane<T> {
  return { id, key: null, waiters: new FifoQueue<T>(), turn: 0, order: 0, at: -1 };
}

function isBefore(one: { turn: number; order: number }, other: { turn: number; order: number }): boolean {
  return one.turn < other.turn || (one.turn === other.turn && one.order < other.order);
}
