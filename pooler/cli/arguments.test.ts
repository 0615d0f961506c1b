import { expect, test } from 'vitest';
import { parseArguments, UsageError } from './arguments.ts';

const parsed = (text: string, program = 'edgerest') => {
  const { command, action, file } = parseArguments(text === '' ? [] : text.split(' '), program);
  return [command, action, file];
};

test.each([
  ['serve', ['serve', null, null]],
  ['serve app.conf', ['serve', null, 'app.conf']],
  ['pooler -h', ['pooler', 'help', null]],
  ['edge --dump-config app.conf', ['edge', 'dump-config', 'app.conf']],
  ['serve app.conf --dump-schema', ['serve', 'dump-schema', 'app.conf']],
  ['--dump-config', [null, 'dump-config', null]],
  ['--dump-config app.conf', [null, 'dump-config', 'app.conf']],
  ['--ready', [null, 'ready', null]],
  ['-e', [null, 'example', null]],
  ['-v', [null, 'version', null]],
  ['--help', [null, 'help', null]],
  ['serve -- -strange.conf', ['serve', null, '-strange.conf']],
  ['serve serve', ['serve', null, 'serve']],
  ['serve -', ['serve', null, '-']],
])('%s', (text, invocation) => {
  expect(parsed(text)).toEqual(invocation);
});

test('by the name of the binary it is served with the binary’s arguments', () => {
  expect(parsed('', 'postgrest')).toEqual(['serve', null, null]);
  expect(parsed('app.conf', 'postgrest')).toEqual(['serve', null, 'app.conf']);
  expect(parsed('--ready app.conf', 'postgrest')).toEqual(['serve', 'ready', 'app.conf']);
});

test.each([
  ['', 'a command is missing.'],
  ['app.conf', 'there is no command app.conf. To serve with it as the configuration: edgerest serve app.conf'],
  ['serve --port', 'there is no option --port.'],
  ['serve -x', 'there is no option -x.'],
  ['--ready --dump-config', '--ready and --dump-config do not go together.'],
  ['serve a b', 'there is one configuration file, b is too much.'],
  ['-x', 'there is no option -x.'],
])('%j is not understood', (text, message) => {
  expect(() => parsed(text)).toThrow(new UsageError(message));
});
