import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parameters, settingOf, variableOf } from './parameters.ts';

const read = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');

const rows = read('docs/configuration.md')
  .split('\n')
  .filter((line) => line.startsWith('| `'))
  .map((line) => line.split('|').map((cell) => cell.trim()));

const all = Object.values(parameters);
const isHidden = (name: string): boolean => name.startsWith('internal-');
const rowOf = (name: string): readonly string[] | undefined => rows.find((cells) => cells[1] === `\`${name}\``);

test.each(all.filter((p) => !isHidden(p.name)))('$name is documented', (p) => {
  const row = rowOf(p.name.startsWith('edgerest-') ? variableOf(p.name) : p.name);
  expect(row?.[3]).toBe(p.appliesTo);
  expect(row?.[4]).toBe(p.inDatabase ? 'db' : p.reloadable ? 'yes' : 'no');
  for (const alias of p.aliases) expect(row?.[5]).toContain(`\`${alias}\``);
});

/** What a test may call it: by its names, its variable, or the name of its value. */
const namesOf = (key: string, p: (typeof all)[number]): RegExp =>
  new RegExp(`\\b(${[p.name, ...p.aliases, variableOf(p.name), settingOf(p.name), key].join('|')})\\b`);

test.each(Object.entries(parameters).filter(([, p]) => !isHidden(p.name)))(
  'the test of %s is where its row says',
  (key, p) => {
    const cell = rowOf(p.name.startsWith('edgerest-') ? variableOf(p.name) : p.name)?.[6]?.replaceAll('`', '');
    expect(read(`${cell}.test.ts`)).toMatch(namesOf(key, p));
  },
);

test.each(all.filter((p) => !isHidden(p.name)))('the documented default of $name is the real one', (p) => {
  const cell = rowOf(p.name.startsWith('edgerest-') ? variableOf(p.name) : p.name)?.[2]?.replaceAll('`', '');
  if (p.name === 'admin-server-host') expect(cell).toBe('server-host');
  else if (p.name.endsWith('-mode') && typeof p.default === 'number') expect(cell).toBe(p.default.toString(8));
  else expect(cell).toBe(p.default === null ? '' : String(p.default));
});

test('names are unique', () => {
  const names = all.flatMap((p) => [p.name, ...p.aliases]);
  expect(new Set(names).size).toBe(names.length);
});
