/** The log: lines on standard error in PostgREST's form, `24/Nov/2026:05:46:46 +0000: message`. */
import { formatTime, LOG_LEVELS, type LogLevel, singleLine } from '../shared/log.ts';

/** Writes a message of a level; `notice` is what the operator has to see whatever the level: starting, stopping, warnings. */
export type Log = (level: LogLevel | 'notice', message: string) => void;

/** Makes a log that leaves out what is less grave than `level` is at the time. A message is always one line. */
export function createLog(
  level: LogLevel | (() => LogLevel),
  write: (line: string) => void = (line) => process.stderr.write(line),
): Log {
  const now = typeof level === 'string' ? () => level : level;
  return (of, message) => {
    if (of !== 'notice' && LOG_LEVELS.indexOf(of) > LOG_LEVELS.indexOf(now())) return;
    write(`${formatTime(new Date())}: ${singleLine(message)}\n`);
  };
}
