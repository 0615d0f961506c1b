import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { JsonRows, jsonShape, looksLikeObject } from './json-keys.ts';
import { bytes } from './request.fixture.ts';

const shape = (source: string) => jsonShape(bytes(source));
const raw = (...values: readonly number[]) => jsonShape(Uint8Array.from(values)).kind;

describe('validity', () => {
  test.each([
    '01',
    '-',
    '+1',
    '1.',
    '.5',
    '1e',
    '1e+',
    '-01',
    '0x1',
    'NaN',
    'nul',
    'truex',
    "'a'",
    '"',
    '"\\x"',
    '"\\u12g4"',
    '"\t"',
    '"\\',
    '{"a"}',
    '{"a":}',
    '{a:1}',
    '{"a":1,}',
    '[1,]',
    '[1 2]',
    '{"a":1 "b":2}',
    ']',
    '[}',
    '{]',
    '[1}',
    '{"a":[}',
    '\ufeff1',
    '1 2',
    '//x',
    '"\\ud800"',
    '"\\udc00"',
    '"\\ud800\\u0041"',
    '"\\ud800x"',
    '[',
  ])('%j is invalid', (source) => {
    expect(shape(source).kind).toBe('invalid');
  });

  test.each([
    '0',
    '-0',
    '0.5e-7',
    '1E+2',
    '123456789012345678901234567890',
    '"\\ud83d\\ude00"',
    '"\\/\\b\\f\\n\\r\\t\\"\\\\"',
    '"\u007f"',
    '"é😀"',
    '\n\r\t [ ]',
    'null',
  ])('%j is valid', (source) => {
    expect(shape(source).kind).toBe('empty');
  });

  test('strings are UTF-8', () => {
    const quote = 0x22;
    for (const sequence of [
      [0x80],
      [0xc0, 0x80],
      [0xc1, 0xbf],
      [0xc3],
      [0xe0, 0x80, 0x80],
      [0xed, 0xa0, 0x80],
      [0xe2, 0x82],
      [0xf0, 0x80, 0x80, 0x80],
      [0xf4, 0x90, 0x80, 0x80],
      [0xf5, 0x80, 0x80, 0x80],
      [0xff],
    ]) {
      expect(raw(quote, ...sequence, quote)).toBe('invalid');
    }
    for (const sequence of [
      [0xc2, 0x80],
      [0xe0, 0xa0, 0x80],
      [0xed, 0x9f, 0xbf],
      [0xef, 0xbf, 0xbf],
      [0xf0, 0x90, 0x80, 0x80],
      [0xf4, 0x8f, 0xbf, 0xbf],
    ]) {
      expect(raw(quote, ...sequence, quote)).toBe('empty');
    }
  });

  test('depth does not matter', () => {
    const deep = 200_000;
    expect(shape(`${'['.repeat(deep)}${']'.repeat(deep)}`).kind).toBe('mixed');
    expect(shape('[{"a":'.repeat(deep)).kind).toBe('invalid');
  });
});

describe('keys', () => {
  test('are a set in code point order, escapes undone', () => {
    expect(shape('{"b":1,"\\u0061":2,"b":3,"\uffff":4,"😀":5}')).toEqual({
      kind: 'object',
      keys: ['a', 'b', '\uffff', '😀'],
    });
  });

  test('are compared as sets, whatever their order and spelling', () => {
    expect(shape('[{"a":1,"b":2},{"b":1,"a":2},{"\\u0061":1,"b":2},{"a":1,"a":1,"b":0}]')).toEqual({
      kind: 'objects',
      keys: ['a', 'b'],
    });
    expect(shape('[{"a":1,"a":2},{"a":1}]').kind).toBe('objects');
    expect(shape('[{"a":1,"b":2},{"a":1}]').kind).toBe('mixed');
    expect(shape('[{"a":1,"b":2},{"a":1,"c":1}]').kind).toBe('mixed');
    expect(shape('[{"a":1},{"a":1,"b":2},{"a":1}]').kind).toBe('mixed');
  });

  test('those of nested objects do not count', () => {
    expect(shape('[{"a":{"x":1}},{"a":[{"y":1}]}]')).toEqual({ kind: 'objects', keys: ['a'] });
  });

  test('an invalid end hides a mismatch', () => {
    expect(shape('[{"a":1},{"b":1},').kind).toBe('invalid');
  });
});

describe('in pieces', () => {
  const inPieces = (document: Uint8Array, size: number) => {
    const rows = new JsonRows();
    for (let at = 0; at < document.length; at += size) rows.push(document.subarray(at, at + size));
    return rows.end();
  };

  test.each([
    '[{"a":1,"b":"x"},{"b":2,"a":null}]',
    ' {"kl\\u00e4\\ud83d\\ude00":[true,false,null],"é😀":-1.5e+10, "":{}} ',
    '[{"aaaa":1},{"aaab":1}]',
    '[{"a":1},[{"a":1}]]',
    '["\\ud83d"]',
    '12.5e',
    '123',
    '[1,2',
    '\ufeff{}',
  ])('%j is the same', (source) => {
    const document = bytes(source);
    const whole = jsonShape(document);
    for (let size = 1; size <= document.length; size++) expect(inPieces(document, size)).toEqual(whole);
  });

  test('any document is the same', () => {
    fc.assert(
      fc.property(fc.json({ stringUnit: 'grapheme' }), fc.integer({ min: 1, max: 9 }), (source, size) => {
        const document = bytes(source);
        expect(inPieces(document, size)).toEqual(jsonShape(document));
      }),
    );
  });

  test('the first row tells the keys, before there is more', () => {
    const rows = new JsonRows();
    rows.push(bytes('[{"b":{"x":1},"a":2'));
    expect(rows.keys).toBeNull();
    rows.push(bytes('}'));
    expect(rows).toMatchObject({ keys: ['a', 'b'], isObject: false, isRefused: false });
    rows.push(bytes(',{"c"'));
    expect(rows.isRefused).toBe(false);
    rows.push(bytes(':1}'));
    expect(rows).toMatchObject({ keys: null, isRefused: true });
    expect(rows.end().kind).toBe('invalid');
  });

  test('the first byte that is no white space may come late', () => {
    expect(looksLikeObject([bytes(' \n'), bytes('\t{')])).toBe(true);
    expect(looksLikeObject([bytes(' '), bytes('['), bytes('{')])).toBe(false);
    expect(looksLikeObject([])).toBe(false);
  });
});

/** What JSON.parse makes of a text; it takes lone surrogates, which the scan refuses. */
function parsedShape(source: string): string {
  try {
    const value: unknown = JSON.parse(source);
    if (!Array.isArray(value)) return typeof value === 'object' && value !== null ? 'object' : 'empty';
    if (value.length === 0) return 'empty';
    const keys = value.map((item: unknown) =>
      typeof item === 'object' && item !== null && !Array.isArray(item)
        ? JSON.stringify(Object.keys(item).sort())
        : null,
    );
    return keys[0] !== null && keys.every((key) => key === keys[0]) ? 'objects' : 'mixed';
  } catch {
    return 'invalid';
  }
}

describe('agrees with JSON.parse', () => {
  test('on documents', () => {
    fc.assert(
      fc.property(fc.json({ stringUnit: 'grapheme' }), (source) => {
        expect(shape(source).kind).toBe(parsedShape(source));
      }),
    );
  });

  test('on documents with a character changed', () => {
    const characters = [...'{}[],:"\\ntu09-+.eE \u0001é'];
    fc.assert(
      fc.property(fc.json(), fc.nat(), fc.constantFrom(...characters), (source, place, character) => {
        const at = place % source.length;
        const changed = source.slice(0, at) + character + source.slice(at + 1);
        expect(shape(changed).kind).toBe(parsedShape(changed));
      }),
      { numRuns: 1000 },
    );
  });

  test('on arrays of small objects', () => {
    const record = fc.dictionary(fc.constantFrom('a', 'b', 'c'), fc.constantFrom(1, null, 'x'), {
      noNullPrototype: true,
    });
    fc.assert(
      fc.property(fc.array(record, { minLength: 1 }), (records) => {
        const source = JSON.stringify(records);
        expect(shape(source).kind).toBe(parsedShape(source));
      }),
    );
  });
});
