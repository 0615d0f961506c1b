/** What `/top` has answered, as far as it is shown. */
import { isObject } from '../../../shared/json.ts';
import type { Summary } from '../../admin/durations.ts';
import type { KeyReport, StatementReport, TopReport } from '../../admin/report.ts';

const POOL = ['size', 'busy', 'resetting', 'idle', 'connecting', 'closing', 'waiting', 'flights', 'retries'] as const;

export interface Seen extends Omit<TopReport, 'pool'> {
  readonly pool: Readonly<Record<(typeof POOL)[number], number>> & {
    readonly refused: readonly (readonly [reason: string, count: number])[];
  };
}

/** It is not what it should be; never leaves this file. */
class Wrong extends Error {}

type Fields = Readonly<Record<string, unknown>>;

function object(value: unknown): Fields {
  if (!isObject(value)) throw new Wrong();
  return value;
}

function number(value: unknown): number {
  if (typeof value !== 'number') throw new Wrong();
  return value;
}

function text(value: unknown): string {
  if (typeof value !== 'string') throw new Wrong();
  return value;
}

function list<T>(value: unknown, read: (fields: Fields) => T): readonly T[] {
  if (!Array.isArray(value)) throw new Wrong();
  return value.map((item: unknown) => read(object(item)));
}

function summary(value: unknown): Summary {
  const { total, mean, p99, max } = object(value);
  return { total: number(total), mean: number(mean), p99: number(p99), max: number(max) };
}

const keyReport = (fields: Fields): KeyReport => ({
  key: text(fields.key),
  waiting: number(fields.waiting),
  oldest: number(fields.oldest),
  requests: number(fields.requests),
  wait: summary(fields.wait),
  used: number(fields.used),
});

const statementReport = (fields: Fields): StatementReport => ({
  id: text(fields.id),
  text: text(fields.text),
  role: text(fields.role),
  count: number(fields.count),
  failed: number(fields.failed),
  time: summary(fields.time),
});

function poolOf(value: unknown): Seen['pool'] {
  const fields = object(value);
  const of = (name: (typeof POOL)[number]): number => number(fields[name]);
  return {
    size: of('size'),
    busy: of('busy'),
    resetting: of('resetting'),
    idle: of('idle'),
    connecting: of('connecting'),
    closing: of('closing'),
    waiting: of('waiting'),
    flights: of('flights'),
    retries: of('retries'),
    refused: Object.entries(object(fields.refused)).map(([reason, count]) => [reason, number(count)]),
  };
}

function read(value: unknown): Seen {
  const fields = object(value);
  const eventLoop = object(fields.eventLoop);
  const cancelled = object(fields.cancelled);
  const prepared = object(fields.preparedStatements);
  return {
    program: text(fields.program),
    uptime: number(fields.uptime),
    memory: number(fields.memory),
    eventLoop: { mean: number(eventLoop.mean), p99: number(eventLoop.p99), max: number(eventLoop.max) },
    pool: poolOf(fields.pool),
    cancelled: { deadline: number(cancelled.deadline), clientGone: number(cancelled.clientGone) },
    connectionsLost: number(fields.connectionsLost),
    preparedStatements: { hits: number(prepared.hits), misses: number(prepared.misses) },
    keys: list(fields.keys, keyReport),
    statements: list(fields.statements, statementReport),
  };
}

/** Null where the JSON is no report. */
export function readSeen(json: string): Seen | null {
  try {
    return read(JSON.parse(json));
  } catch (error) {
    if (error instanceof Wrong || error instanceof SyntaxError) return null;
    throw error;
  }
}
