import { describe, expect, test } from 'vitest';
import { ConfigFileError, readConfigFile } from './file.ts';

/** Reads `main.conf` among these files. */
function read(files: Readonly<Record<string, string>>, env: Readonly<Record<string, string>> = {}) {
  const readFile = (path: string): string => {
    const text = files[path];
    if (text === undefined) throw new Error('ENOENT');
    return text;
  };
  return Object.fromEntries(readConfigFile('conf/main.conf', { readFile, env }));
}

const readText = (text: string, env: Readonly<Record<string, string>> = {}) => read({ 'conf/main.conf': text }, env);

test('values are texts, whatever their type', () => {
  expect(readText('db-pool = 3\ndb-config = off\ndb-schemas = "a, b"\nx = 1\n')).toEqual({
    'db-pool': '3',
    'db-config': 'false',
    'db-schemas': 'a, b',
    x: '1',
  });
});

test('the last of two equal keys counts', () => {
  expect(readText('db-pool = 3\ndb-pool = 4\n')).toEqual({ 'db-pool': '4' });
});

test('app.settings that are no texts are what PostgREST made of them', () => {
  const text = 'app.settings { a = true\nb = 13\nc = 1.5\nd = 12345678\ne = 0.01\nf = "text"\ng = 0 }\n';
  expect(readText(text)).toEqual({
    'app.settings.a': 'Bool True',
    'app.settings.b': 'Number 13.0',
    'app.settings.c': 'Number 1.5',
    'app.settings.d': 'Number 1.2345678e7',
    'app.settings.e': 'Number 1.0e-2',
    'app.settings.f': 'text',
    'app.settings.g': 'Number 0.0',
  });
});

describe('names in a text', () => {
  test('mean the nearest group, then the environment', () => {
    const text = `
home = "$(HOME)/x"
port = 5
outer { home = "inner"
  uri = "$(home):$(port) $$1"
  deep { name = "$(home) $(own)"
  }
}`;
    expect(readText(text, { HOME: '/root', own: 'env' })).toEqual({
      home: '/root/x',
      port: '5',
      'outer.home': 'inner',
      'outer.uri': 'inner:5 $1',
      'outer.deep.name': 'inner env',
    });
  });

  test.each([
    ['a = "$(b)"', 'conf/main.conf, line 1: there is no b, nor such a variable.'],
    ['a = "$b"', 'conf/main.conf, line 1: after a dollar sign there is $ or (name).'],
    ['x = 1\nb = [1]\na = "$(b)"', 'conf/main.conf, line 3: b is neither a text nor a number.'],
  ])('%j', (text, message) => {
    expect(() => readText(text)).toThrow(new ConfigFileError(message));
  });
});

describe('imports', () => {
  test('are relative to the file, and set what is in the group', () => {
    const files = {
      'conf/main.conf': 'db-pool = 1\nimport "more/other.conf"\napp { import "/etc/settings.conf"\n }',
      'conf/more/other.conf': 'import "third.conf"\ndb-pool = 2',
      'conf/more/third.conf': 'db-schemas = "x"',
      '/etc/settings.conf': 'settings.a = "b"',
    };
    expect(read(files)).toEqual({ 'db-pool': '2', 'db-schemas': 'x', 'app.settings.a': 'b' });
  });

  test('that lead back are an error', () => {
    const files = { 'conf/main.conf': 'import "other.conf"', 'conf/other.conf': 'import "main.conf"' };
    expect(() => read(files)).toThrow(new ConfigFileError('conf/main.conf imports itself.'));
  });

  test('that cannot be read or parsed are named', () => {
    expect(() => read({ 'conf/main.conf': 'import "other.conf"' })).toThrow(
      new ConfigFileError('the configuration file conf/other.conf cannot be read.'),
    );
    expect(() => read({ 'conf/main.conf': 'import "other.conf"', 'conf/other.conf': 'a = 1\nb' })).toThrow(
      new ConfigFileError('conf/other.conf, line 2, column 2: = or { is expected.'),
    );
  });
});

test('a list is no value of a parameter; a name of its own may be one', () => {
  expect(readText('mine = [1]\ndb-pool = 2')).toEqual({ 'db-pool': '2' });
  expect(() => readText('db-schemas = ["a"]')).toThrow(/db-schemas is a list: it must be one text/);
});

test('no value is in an error', () => {
  expect(() => readText('jwt-secret = "hunter2')).toThrow(
    expect.objectContaining({ message: expect.not.stringContaining('hunter2') }),
  );
});
