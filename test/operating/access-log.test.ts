/** The access log: standard output, in PostgREST's form. */
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { LOG_LEVELS, type LogLevel } from '../../shared/log.ts';
import { accessLines, ask, configFile, office, portOf, until } from './program.ts';

const db = office('access');

/** Which of a 500, a 404 and a 200 each level logs. */
const LOGGED: Readonly<Record<LogLevel, readonly string[]>> = {
  crit: [],
  error: ['500'],
  warn: ['500', '404'],
  info: ['500', '404', '200'],
  debug: ['500', '404', '200'],
};

test('has the answers that the level asks for, which a reload changes', async () => {
  const file = join(db.folder, 'levels.conf');
  await configFile(file, { 'log-level': 'crit' });
  const process = db.start('serve', {}, file);
  const port = await portOf(process, 'API server');
  const reloads = (): number => process.said().split('Config reloaded').length - 1;
  for (const level of LOG_LEVELS) {
    const before = reloads();
    await configFile(file, { 'log-level': level, 'app.settings.level': level });
    process.child.kill('SIGUSR2');
    await until(process, () => reloads() > before);
    for (const path of ['/rpc/fail', '/unknown', '/item?id=eq.1']) {
      await ask(port, path, { headers: { 'user-agent': `at ${level}` } });
    }
  }
  process.child.kill('SIGTERM');
  await process.exited;
  const logged = (level: LogLevel): (string | undefined)[] =>
    [...process.out().matchAll(/" (\d{3}) \d+ "" "at (\w+)"\n/g)]
      .filter(([, , at]) => at === level)
      .map(([, status]) => status);
  expect(Object.fromEntries(LOG_LEVELS.map((level) => [level, logged(level)]))).toEqual(LOGGED);
});

describe('a line', () => {
  const headers = { 'user-agent': 'curl/7.64.0', referer: 'http://elsewhere/' };
  const rest = '"http://elsewhere/" "curl/7.64.0"';
  const entry = (who: string, request: string, status: string): RegExp =>
    new RegExp(
      `^${who} \\[\\d\\d/[A-Z][a-z]{2}/\\d{4}(:\\d\\d){3} [+-]\\d{4}\\] "${request} HTTP/1\\.1" ${status} ${rest}$`,
    );

  test('of serve has address, role, request, status and length', async () => {
    const env = { PGRST_LOG_LEVEL: 'info', PGRST_SERVER_CORS_ALLOWED_ORIGINS: 'http://example.com' };
    const { process, port } = await db.serve(env);
    const authorization = `Bearer ${await db.token()}`;
    await ask(port, '/item?id=eq.1', { headers });
    await ask(port, '/item', { method: 'DELETE', headers: { ...headers, authorization } });
    await ask(port, '/rpc/role', { method: 'PUT', headers });
    const expired = await db.token({ exp: Math.floor(Date.now() / 1000) - 60 });
    await ask(port, '/secret_plan?expired', { headers: { ...headers, authorization: `Bearer ${expired}` } });
    const preflight = { origin: 'http://example.com', 'access-control-request-method': 'POST' };
    expect((await ask(port, '/item?preflight', { method: 'OPTIONS', headers: preflight })).status).toBe(200);
    await ask(port, '/item?plain', { method: 'OPTIONS', headers });
    expect(await accessLines(process, 'curl', 5)).toEqual([
      expect.stringMatching(entry(`127\\.0\\.0\\.1 - ${db.anon}`, 'GET /item\\?id=eq\\.1', '200 \\d+')),
      expect.stringMatching(entry(`127\\.0\\.0\\.1 - ${db.author}`, 'DELETE /item', '409 \\d+')),
      expect.stringMatching(entry(`127\\.0\\.0\\.1 - ${db.anon}`, 'PUT /rpc/role', '405 \\d+')),
      expect.stringMatching(entry('127\\.0\\.0\\.1 - -', 'GET /secret_plan\\?expired', '401 \\d+')),
      expect.stringMatching(entry(`127\\.0\\.0\\.1 - ${db.anon}`, 'OPTIONS /item\\?plain', '200 (\\d+|-)')),
    ]);
    expect(process.out()).not.toContain('preflight');
    // Diagnostics stay on standard error.
    expect(process.said()).not.toContain('HTTP/1.1"');
  });

  test('has no role where there is no anonymous one', async () => {
    const path = join(db.folder, 'anonymous.sock');
    const process = db.start('serve', {
      PGRST_DB_ANON_ROLE: '',
      PGRST_LOG_LEVEL: 'warn',
      PGRST_SERVER_UNIX_SOCKET: path,
    });
    await until(process, () => process.said().includes('API server listening'));
    expect((await ask(path, '/item', { headers })).status).toBe(401);
    // On a socket file there is no address either.
    expect(await accessLines(process, 'curl', 1)).toEqual([
      expect.stringMatching(entry('- - -', 'GET /item', '401 \\d+')),
    ]);
  });

  test('of edge is the same, but for the address', async () => {
    const { process, port } = await db.serve({ PGRST_LOG_LEVEL: 'info' }, 'edge');
    const authorization = `Bearer ${await db.token()}`;
    await ask(port, '/item?id=eq.1', { headers });
    await ask(port, '/rpc/fail', { headers: { ...headers, authorization } });
    expect(await accessLines(process, 'curl', 2)).toEqual([
      expect.stringMatching(entry(`- - ${db.anon}`, 'GET /item\\?id=eq\\.1', '200 \\d+')),
      expect.stringMatching(entry(`- - ${db.author}`, 'GET /rpc/fail', '500 \\d+')),
    ]);
  });
});

test('is lost with its reader, the program is not', async () => {
  const { process, port } = await db.serve({ PGRST_LOG_LEVEL: 'info' });
  process.child.stdout?.destroy();
  process.child.stderr?.destroy();
  for (const _ of Array(3)) expect((await ask(port, '/item?id=eq.1')).status).toBe(200);
  process.child.kill('SIGTERM');
  expect(await process.exited).toBe(0);
});
