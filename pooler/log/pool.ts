/** What is written in the log about the pool. */
import type { Log } from '../log.ts';
import type { PoolEvent } from '../pool/index.ts';
import { Crowds } from './crowds.ts';
import { eventLine } from './event.ts';

const seconds = (milliseconds: number): string => `${milliseconds / 1000} seconds`;

type FlightEvent = Extract<PoolEvent, { readonly type: 'flight' }>;

/** What of a flight is abnormal. */
function logFlight(event: FlightEvent, log: Log): void {
  const { key, took: took_ms, outcome, cancelled, stale, resent, subject } = event;
  const about = { role: subject?.role ?? null, key, took_ms };
  if (cancelled !== null) {
    const reason = cancelled === 'deadline' ? 'deadline' : 'client-gone';
    const level = cancelled === 'deadline' ? 'warn' : 'info';
    log(level, eventLine('The database was asked to cancel a transaction.', 'cancel', { reason, outcome, ...about }));
  }
  if (resent) {
    const text = 'A transaction goes again: its connection had ended before it was read.';
    log('warn', eventLine(text, 'flight_retried', { reason: 'unsent', ...about }));
  } else if (stale) {
    const text = 'A transaction was sent again: what it had prepared no longer fitted.';
    log('info', eventLine(text, 'flight_retried', { reason: 'stale-statements', outcome, ...about }));
  }
}

/** Makes what logs a pool's events. `debug`: whether the lines of that level are wanted; they come with every request. */
export function poolLog(log: Log, debug: () => boolean): (event: PoolEvent) => void {
  const crowds = new Crowds((code, key, count) => {
    const full = code === 'queue-full';
    const text = full ? 'The queue is full: a request was refused.' : 'A request waited for a connection in vain.';
    log('warn', eventLine(text, full ? 'queue_full' : 'acquisition_timeout', { key, count }));
  });
  return (event) => {
    switch (event.type) {
      case 'connect-failed': {
        const { error, retryIn } = event;
        // Somebody's wrong password says nothing of the database.
        if (!event.own && error.kind === 'authentication') return;
        const text = `Cannot connect to the database: ${error.message}. Trying again in ${seconds(retryIn)}.`;
        log('error', eventLine(text, 'connect_failed', { reason: error.kind, retry_ms: retryIn }));
        return;
      }
      case 'refused':
        if (event.code === 'queue-full' || event.code === 'acquisition-timeout') crowds.add(event.code, event.key);
        else log('info', `A request was not admitted to the pool: ${event.code}`);
        return;
      case 'connected':
        log(
          'debug',
          `A connection is available due to connection establishment, which took ${event.took.toFixed(1)} ms`,
        );
        return;
      case 'closed':
        log('debug', 'A connection is terminated');
        if (event.lost !== null)
          log('error', eventLine('A connection was lost.', 'connection_lost', { reason: event.lost }));
        return;
      case 'acquired':
        if (!debug()) return;
        log('debug', `Borrowed a connection from the pool after ${event.waited.toFixed(1)} ms`);
        return;
      case 'flight':
        logFlight(event, log);
        if (!debug()) return;
        log('debug', `A flight of ${event.took.toFixed(1)} ms: ${event.outcome}, attempt ${event.attempts}`);
        return;
      default:
        event satisfies never;
    }
  };
}
