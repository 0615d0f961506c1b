/** What the two halves observe in common: levels of the log, the time's form, which answers a level asks for. */

/** `log-level`, the gravest first. */
export const LOG_LEVELS = ['crit', 'error', 'warn', 'info', 'debug'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** The lowest HTTP status of the answers that are logged at a level: PostgREST's shouldLogResponse. */
export function lowestLogged(level: LogLevel): number {
  switch (level) {
    case 'crit':
      return Number.POSITIVE_INFINITY;
    case 'error':
      return 500;
    case 'warn':
      return 400;
    case 'info':
    case 'debug':
      return 0;
    default:
      return level satisfies never;
  }
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const two = (n: number): string => String(n).padStart(2, '0');

/** A time in the local zone, as Apache's logs have it: `04/Nov/2026:05:06:07 +0000`. */
export function formatTime(time: Date): string {
  const offset = -time.getTimezoneOffset();
  const zone = `${offset < 0 ? '-' : '+'}${two(Math.floor(Math.abs(offset) / 60))}${two(Math.abs(offset) % 60)}`;
  const day = `${two(time.getDate())}/${MONTHS[time.getMonth()]}/${time.getFullYear()}`;
  return `${day}:${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())} ${zone}`;
}

/** A message as one line. */
export const singleLine = (text: string): string => text.trim().replace(/\s*[\r\n]+\s*/g, ' ');

/** What the cache of verified tokens did: a lookup that found the token, one that did not, or made room for another. */
export type TokenEvent = 'hit' | 'miss' | 'eviction';
