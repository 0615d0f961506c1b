/** Names and values that ask for trouble. */
import type { Choices } from './choices.ts';
import type { SlotKind, Values } from './template.ts';

/** Pieces that mean something to SQL, to JSON, to the grammar of requests or to the wire. */
const FRAGMENTS = [
  'a',
  "'",
  '"',
  '\\',
  ';',
  '--',
  '/*',
  '*/',
  '$$',
  '$1',
  '$tag$',
  "E'\\'",
  "U&'",
  '(',
  ')',
  ',',
  '.',
  ':',
  '::text',
  '::',
  '->',
  '->>',
  '{',
  '}',
  '[',
  ']',
  '*',
  '%',
  '%00',
  '\\x00',
  '\0',
  '\n',
  '\r\n',
  '\t',
  ' ',
  '=',
  '&',
  '#',
  '!',
  '...',
  'null',
  'NULL',
  'and',
  'or',
  'not.',
  'eq.',
  'in.(',
  ' union select ',
  '); drop table api.clients; --',
  "' or '1'='1",
  '{"a":1}',
  '[1,2]',
  '{1,2}',
  'ü',
  '→',
  '😀',
  '\u2028',
  '\ufeff',
  '\u202e',
  'İ',
  '０',
  '-1',
  '1e999',
  '99999999999999999999',
  'x'.repeat(70),
] as const;

const codePoint = (choices: Choices): string => {
  const code = choices.below(0xd800) + (choices.oneIn(4) ? 0xe000 : 0);
  return String.fromCodePoint(code);
};

/** Text of some fragments and random characters; never empty. */
export function hostileText(choices: Choices): string {
  let text = '';
  for (let left = choices.below(4); left >= 0; left--)
    text += choices.oneIn(6) ? codePoint(choices) : choices.of(FRAGMENTS);
  return choices.oneIn(200) ? text.repeat(1 + choices.below(300)) : text;
}

const ORDINARY = [
  '1',
  'a',
  'One',
  '{1,2}',
  '{a,b}',
  '[1,3)',
  'null',
  'true',
  '2020-01-01',
  '{"a":1}',
  '1.5',
  '\\x00',
  '*a*',
] as const;
const WORDS = ['english', 'simple', 'german', 'Europe', 'utc', 'x'] as const;

/** Values drawn from the choices. With a mark, each has it in it, but for the numbers, which are built of `digits`. */
export function drawnValues(choices: Choices, mark: { readonly text: string; readonly digits: string } | null): Values {
  const text = (): string =>
    (mark === null && !choices.oneIn(3) ? choices.of(ORDINARY) : hostileText(choices)) + (mark?.text ?? '');
  return (kind: SlotKind): string => {
    switch (kind) {
      case 'text':
        return mark === null && choices.oneIn(20) ? '' : text();
      case 'some':
        return text();
      case 'argument':
        return mark === null && !choices.oneIn(3) ? choices.of(ORDINARY) : `=${text()}`;
      case 'word':
        return mark === null ? choices.of(WORDS) : mark.text;
      case 'number':
        return mark === null ? String(1 + choices.below(20)) : `${mark.digits}${choices.below(10)}`;
      default:
        return kind satisfies never;
    }
  };
}
