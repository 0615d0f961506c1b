/** What `npm install edgerest` brings, used as its users use it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import packageJson from '../../package.json' with { type: 'json' };
import { createDatabase, type TestDatabase, uniqueName } from '../postgres.ts';
import { commandFor, PRESENT } from '../runtimes/runtime.ts';
import { type Consumer, consumer, plainEnvironment, ROOT, run } from './consumer.ts';

const login = uniqueName('package_login');
const anon = uniqueName('package_anon');

let database: TestDatabase;
let user: Consumer;
beforeAll(async () => {
  [user, database] = await Promise.all([
    consumer(),
    createDatabase(
      'package',
      `create role ${login} login noinherit password 'the-password'; create role ${anon}; grant ${anon} to ${login};
       create table item (id int primary key); insert into item values (1); grant select on item to ${anon};`,
    ),
  ]);
});

const running: ChildProcess[] = [];
afterAll(async () => {
  for (const child of running) if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
  await database?.sql.unsafe(`drop owned by ${anon}; drop role ${login}, ${anon}`).simple();
  await database?.drop();
  await user?.remove();
});

const variables = (): Record<string, string> => ({
  PGRST_DB_URI: database.uriAs(login, 'the-password'),
  PGRST_DB_ANON_ROLE: anon,
  PGRST_SERVER_HOST: '127.0.0.1',
  PGRST_SERVER_PORT: '0',
  EDGEREST_POOLER_PORT: '0',
  EDGEREST_POOLER_SECRET: 'reallyreallyreallyreallyverysafe',
});

/** Starts a command of the installed program and gives the port on which it listens, and what ends it. */
async function start(command: string): Promise<{ readonly port: string; stop(): Promise<unknown> }> {
  const env = { ...plainEnvironment(), ...variables() };
  // As npx starts it, so that a signal is for the program alone.
  const program = join(user.folder, 'node_modules', '.bin', 'edgerest');
  const child = spawn(program, [command], { cwd: user.folder, env, stdio: ['ignore', 'ignore', 'pipe'] });
  running.push(child);
  const exited = once(child, 'exit');
  const said: string[] = [];
  for await (const line of createInterface({ input: child.stderr })) {
    said.push(line);
    const port = / (?:API server|Pooler) listening on 127\.0\.0\.1:(\d+)$/.exec(line)?.[1];
    if (port === undefined) continue;
    child.stderr.resume();
    const stop = async (): Promise<unknown> => {
      child.kill('SIGTERM');
      return (await exited)[0];
    };
    return { port, stop };
  }
  throw new Error(`it ended: ${said.join('\n')}`);
}

describe('the package', () => {
  test('has the compiled program, its types and its documents', () => {
    const expected =
      /^(dist\/.+\.js|dist\/(worker|shared)\/.+\.d\.ts|docs\/[\w-]+\.md|README\.md|LICENSE|package\.json)$/;
    expect(user.packed.filter((path) => !expected.test(path))).toEqual([]);
    expect(user.packed.filter((path) => /test|fixture/i.test(path))).toEqual([]);
    for (const target of [packageJson.bin.edgerest, ...Object.values(packageJson.exports)]) {
      expect(user.packed).toContain(target.replace('./', ''));
    }
  });

  test('brings nothing that only developers need', () => {
    const developers = new Set(Object.keys(packageJson.devDependencies));
    expect(user.installed.filter((name) => developers.has(name))).toEqual([]);
    expect(user.installed).toEqual(expect.arrayContaining(Object.keys(packageJson.dependencies)));
  });
});

describe('npx edgerest', () => {
  test('--version and --help', async () => {
    expect(await run(user.folder, 'npx', ['edgerest', '--version'])).toEqual({
      code: 0,
      out: `edgerest ${packageJson.version}\n`,
      said: '',
    });
    const help = await run(user.folder, 'npx', ['edgerest', '--help']);
    expect(help).toMatchObject({ code: 0, said: '' });
    expect(help.out).toContain('edgerest serve');
  });

  test('says which Node it needs', async () => {
    const [lowest] = /\d+\.\d+/.exec(packageJson.engines.node) ?? [];
    const older = `data:text/javascript,Object.defineProperty(process,'versions',{value:{node:'22.11.0'}})`;
    const program = join(user.folder, 'node_modules', '.bin', 'edgerest');
    expect(await run(user.folder, 'node', ['--import', older, program, 'serve'])).toEqual({
      code: 1,
      out: '',
      said: expect.stringContaining(`this is Node 22.11.0, and ${lowest} or later is needed`),
    });
  });

  test.each(PRESENT)('says in %s that it is for Node', async (runtime) => {
    const [program, args] = commandFor(runtime, join(user.folder, 'node_modules', '.bin', 'edgerest'), ['serve']);
    expect(await run(user.folder, program, args, variables())).toEqual({
      code: 1,
      out: '',
      said: expect.stringMatching(/^edgerest: this is (Deno|Bun) [\d.]+, and the pooler runs on Node: /),
    });
  });

  test('serve', async () => {
    const { port, stop } = await start('serve');
    expect(await (await fetch(`http://127.0.0.1:${port}/item`)).json()).toEqual([{ id: 1 }]);
    expect(await stop()).toBe(0);
  });

  test('edge, once workerd is there', async () => {
    const workerd = join(user.folder, 'node_modules', 'workerd');
    await rm(workerd, { force: true });
    expect(await run(user.folder, 'npx', ['edgerest', 'edge'], variables())).toMatchObject({
      code: 1,
      said: expect.stringContaining('npm install workerd'),
    });
    await symlink(join(ROOT, 'node_modules', 'workerd'), workerd);
    const { port, stop } = await start('edge');
    expect(await (await fetch(`http://127.0.0.1:${port}/item`)).json()).toEqual([{ id: 1 }]);
    expect(await stop()).toBe(0);
  });
});

describe('edgerest/worker', () => {
  test('answers requests in a plain script', async () => {
    const { port, stop } = await start('pooler');
    await writeFile(
      join(user.folder, 'script.mjs'),
      `import { createEdgerest } from 'edgerest/worker';
       const edgerest = createEdgerest({ url: process.argv[2], secret: process.env.EDGEREST_POOLER_SECRET });
       const response = await edgerest(new Request('https://api.example.com/item'));
       console.log(response.status, await response.text());`,
    );
    const url = `http://127.0.0.1:${port}`;
    const commands = PRESENT.map((runtime) => commandFor(runtime, 'script.mjs', [url]));
    for (const [program, args] of [['node', ['script.mjs', url]] as const, ...commands]) {
      expect(await run(user.folder, program, args, variables())).toEqual({
        code: 0,
        out: '200 [{"id":1}]\n',
        said: '',
      });
    }
    await stop();
  });

  test('has types for those who look closely', async () => {
    await writeFile(
      join(user.folder, 'script.ts'),
      `import { createEdgerest, type EdgerestFetch } from 'edgerest/worker';
       import cloudflare from 'edgerest/cloudflare';
       import hyperdriveWorker from 'edgerest/cloudflare/hyperdrive';
       import neonWorker from 'edgerest/cloudflare/neon';
       import { createHyperdrive } from 'edgerest/hyperdrive';
       import { createNeon } from 'edgerest/neon';
       const edgerest: EdgerestFetch = createEdgerest({ url: 'https://pooler.example.com', secret: 's' });
       export const response: Promise<Response> = edgerest(new Request('https://api.example.com'));
       export const other: Response | Promise<Response> = cloudflare.fetch(new Request('https://api.example.com'));
       export const alone: readonly EdgerestFetch[] = [createHyperdrive({ bindings: {} }), createNeon({ bindings: {} })];
       export const workers = [hyperdriveWorker.fetch, neonWorker.fetch];
       // @ts-expect-error the secret is missing
       createEdgerest({ url: '' });`,
    );
    const strict = ['--noEmit', '--strict', '--target', 'es2024', '--lib', 'es2024,dom,dom.iterable', '--types', ''];
    const tsc = join(ROOT, 'node_modules', '.bin', 'tsc');
    for (const kind of [
      ['--module', 'nodenext'],
      ['--module', 'esnext', '--moduleResolution', 'bundler'],
    ]) {
      expect(await run(user.folder, tsc, [...strict, ...kind, 'script.ts'])).toMatchObject({ code: 0, out: '' });
    }
  });

  test('is for no runtime in particular: it imports nothing of Node', () => {
    const imports = user.packed
      .filter((path) => /^dist\/(worker|shared)\/.*\.js$/.test(path) && !path.includes('adapters/node'))
      .filter((path) =>
        /from '(node:|fs|http)/.test(readFileSync(join(user.folder, 'node_modules/edgerest', path), 'utf8')),
      );
    expect(imports).toEqual([]);
  });
});
