import { describe, expect, test } from 'vitest';
import { type Directive, FileSyntaxError, type FileValue, interpolation, parseFile } from './syntax.ts';

/** The value of a file's only key. */
function onlyValue(text: string): FileValue | undefined {
  const [directive] = parseFile(text);
  return directive?.kind === 'bind' ? directive.value : undefined;
}

/** What is bound, with the groups' names in front. */
function bindings(directives: readonly Directive[], prefix = ''): Record<string, FileValue> {
  const found: Record<string, FileValue> = {};
  for (const directive of directives) {
    if (directive.kind === 'bind') found[prefix + directive.key] = directive.value;
    if (directive.kind === 'group') Object.assign(found, bindings(directive.directives, `${prefix}${directive.key}.`));
  }
  return found;
}

function errorOf(text: string): string {
  try {
    parseFile(text);
  } catch (error) {
    if (error instanceof FileSyntaxError) return `${error.line}:${error.column} ${error.message}`;
  }
  return '';
}

test.each([
  ['a = "text"', 'text'],
  ['a="text"', 'text'],
  ['a = ""', ''],
  ['a = "\\"quoted\\" \\\\ \\n\\t\\r"', '"quoted" \\ \n\t\r'],
  ['a = "\\u00e9\\uD83D\\ude00"', 'é😀'],
  ['a = "two\nlines # no comment"', 'two\nlines # no comment'],
  ['a = 13', 13],
  ['a = 1.5e2', 150],
  ['a = true', true],
  ['a = on', true],
  ['a = false', false],
  ['a = off', false],
  ['a = [1, "b", [true] ]', [1, 'b', [true]]],
  ['a = [ ]', []],
  ['a = 1 # comment', 1],
  ['a\n=\n# comment\n 1', 1],
  ['\n\n  a = 1\r\n\r\n', 1],
])('%j', (text, value) => {
  expect(onlyValue(text)).toEqual(value);
});

test('keys have letters of any script, digits, dots, dashes and underscores', () => {
  const text = 'db-pool = 1\nWeCanDoCamel_Case2 = 2\nimportance = 3\nimport.this = 4\nchär.b-c = 5\n';
  expect(bindings(parseFile(text))).toEqual({
    'db-pool': 1,
    WeCanDoCamel_Case2: 2,
    importance: 3,
    'import.this': 4,
    'chär.b-c': 5,
  });
});

test('groups nest, and #; takes the whole directive after it away', () => {
  const text = `# nothing
a { b = 1
  c { d=true }
  #e = 2
}
f { g-h { i { j=false}}}
#; commented {
  x = 1
  y = "}"
}
#;z = 1
k = 42`;
  expect(bindings(parseFile(text))).toEqual({ 'a.b': 1, 'a.c.d': true, 'f.g-h.i.j': false, k: 42 });
});

test('imports are kept for later', () => {
  expect(parseFile('import "other.conf"\n')).toEqual([{ kind: 'import', path: 'other.conf', line: 1 }]);
});

describe('an error says where and what', () => {
  test.each([
    ["app.settings.x = 'single'", '1:18 a text in double quotes, a number, true or false is expected'],
    ['a = 1\nb', '2:2 = or { is expected'],
    ['yaml:\n  is:\n', '1:5 = or { is expected'],
    ['a = 1 b = 2', '1:7 a key is expected'],
    ['a = trueish', '1:9 a key is expected'],
    ['a = -1', '1:5 a text in double quotes, a number, true or false is expected'],
    ['a = "x', '1:7 " is expected'],
    ['a = "\\x"', '1:7 one of n t r " \\ u0000 after a backslash is expected'],
    ['a = "\\ud83d"', '1:13 the other half of a surrogate pair is expected'],
    ['a = [1 2]', '1:8 , or ] is expected'],
    ['a = [1,]', '1:8 a text in double quotes, a number, true or false is expected'],
    ['a { b = 1\n', '2:1 } is expected'],
    ['a = 1 }', '1:7 a key is expected'],
    ['1a = 1', '1:1 a key is expected'],
    ['import other', '1:8 a text in double quotes is expected'],
  ])('%j', (text, message) => {
    expect(errorOf(text)).toBe(message);
  });
});

test('interpolation', () => {
  expect(interpolation('a$$b$(c d)$(e)')).toEqual([
    { kind: 'text', value: 'a' },
    { kind: 'text', value: '$' },
    { kind: 'text', value: 'b' },
    { kind: 'name', value: 'c d' },
    { kind: 'name', value: 'e' },
  ]);
  for (const wrong of ['$x', '$', '$$$', '$(never closed', '$()']) expect(interpolation(wrong)).toBeNull();
});
