import { expect, test } from 'vitest';
import { formatTime } from '../shared/log.ts';
import { createLog } from './log.ts';

test('a line has the time as PostgREST writes it', () => {
  const lines: string[] = [];
  createLog('error', (line) => lines.push(line))('error', 'what\n  happened');
  expect(lines).toEqual([
    expect.stringMatching(/^\d\d\/[A-Z][a-z]{2}\/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}: what happened\n$/),
  ]);
});

test('the time is the local one, with its offset', () => {
  const time = new Date(2026, 10, 4, 5, 6, 7);
  expect(formatTime(time)).toMatch(/^04\/Nov\/2026:05:06:07 [+-]\d{4}$/);
});

test('the level may change', () => {
  const lines: string[] = [];
  let level: 'error' | 'info' = 'error';
  const log = createLog(
    () => level,
    (line) => lines.push(line),
  );
  log('info', 'left out');
  level = 'info';
  log('info', 'written');
  expect(lines).toEqual([expect.stringMatching(/: written\n$/)]);
});

test('what is less grave than the level is left out, notices never', () => {
  const lines: string[] = [];
  const log = createLog('warn', (line) => lines.push(line.replace(/^.*?: /, '')));
  for (const level of ['crit', 'error', 'warn', 'info', 'debug', 'notice'] as const) log(level, level);
  expect(lines).toEqual(['crit\n', 'error\n', 'warn\n', 'notice\n']);
});
