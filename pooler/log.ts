/** The log: lines on standard error in PostgREST's form, `24/Nov/2026:05:46:46 +0000: message`. */

/** `log-level`, the gravest first. */
export const LOG_LEVELS = ['crit', 'error', 'warn', 'info', 'debug'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Writes a message of a level; `notice` is what the operator has to see whatever the level: starting, stopping, warnings. */
export type Log = (level: LogLevel | 'notice', message: string) => void;

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const two = (n: number): string => String(n).padStart(2, '0');

/** A time in the local zone, as Apache's logs have it. */
export function formatTime(time: Date): string {
  const offset = -time.getTimezoneOffset();
  const zone = `${offset < 0 ? '-' : '+'}${two(Math.floor(Math.abs(offset) / 60))}${two(Math.abs(offset) % 60)}`;
  const day = `${two(time.getDate())}/${MONTHS[time.getMonth()]}/${time.getFullYear()}`;
  return `${day}:${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())} ${zone}`;
}

/** Makes a log that leaves out what is less grave than `level` is at the time. A message is always one line. */
export function createLog(
  level: LogLevel | (() => LogLevel),
  write: (line: string) => void = (line) => process.stderr.write(line),
): Log {
  const now = typeof level === 'string' ? () => level : level;
  return (of, message) => {
    if (of !== 'notice' && LOG_LEVELS.indexOf(of) > LOG_LEVELS.indexOf(now())) return;
    write(`${formatTime(new Date())}: ${message.replace(/\s*[\r\n]+\s*/g, ' ')}\n`);
  };
}
