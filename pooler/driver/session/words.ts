import { isPlain } from '../plain.ts';

/**
 * What a statement's text may leave behind in its session, as far as the text says. It errs on the side of too much: a word counts
 * in a literal and in a comment too. Where the server can say cheaply what there is, it is asked whatever the text says.
 */
export interface Traces {
  /** It only reads: nothing of the following, and nothing else either. */
  readonly plain: boolean;
  /** Something that cannot be taken to another connection. */
  readonly state: boolean;
  /** An advisory lock. */
  readonly locks: boolean;
  /** A statement that SQL has prepared. */
  readonly prepared: boolean;
  /** Settings, set by a function. SET itself is known by its command tag. */
  readonly settings: boolean;
  /** Settings with a dot in their names that the text names: PostgreSQL lists them nowhere. */
  readonly custom: readonly string[];
  /** It may make the server forget what was prepared. */
  readonly forgets: boolean;
  /** It sets something for the session whose name only exists at run time. */
  readonly unnamed: boolean;
}

export const noTraces: Traces = {
  plain: false,
  state: false,
  locks: false,
  prepared: false,
  settings: false,
  custom: [],
  forgets: false,
  unnamed: false,
};

const plainTraces: Traces = { ...noTraces, plain: true };

/** What may be left by code whose text nobody has seen. */
export const anyTraces: Traces = {
  plain: false,
  state: true,
  locks: true,
  prepared: true,
  settings: true,
  custom: [],
  forgets: true,
  unnamed: false,
};

const suspicious = /advisory|prepare|set_config|\bset\b|listen|\bhold\b|\btemp|deallocate|discard/i;
const forgetful = /deallocate|discard/i;
const lasting = /advisory|prepare|listen|\bhold\b|\btemp/i;
const customSet =
  /\bset\s+(?:session\s+|local\s+)?((?:"[^"]+"|[a-z_][\w$]*)(?:\s*\.\s*(?:"[^"]+"|[a-z_][\w$]*))+)\s*(?:=|\bto\b)/gi;
const setConfig = /\bset_config"?\s*\(\s*(?:'([^'\\]+)'\s*,)?/gi;
/** Both values are simple, so that the third argument is where it seems to be, and it says: for this transaction. */
const localSetConfig =
  /\bset_config"?\s*\(\s*(?:\$\d+|'[^'\\]*')(?:::\w+)?\s*,\s*(?:\$\d+|'[^'\\]*')(?:::\w+)?\s*,\s*true\s*\)/gi;

/** Reads a text for what it may leave behind. */
export function tracesOf(text: string): Traces {
  if (isPlain(text)) return plainTraces;
  if (!suspicious.test(text)) return noTraces;
  const custom = [...text.matchAll(customSet)].map((found) => settingName(found[1] ?? ''));
  let settings = false;
  let unnamed = false;
  for (const [, name] of text.replace(localSetConfig, '').matchAll(setConfig)) {
    settings = true;
    if (name === undefined) unnamed = true;
    else if (name.includes('.')) custom.push(name);
  }
  const state = lasting.test(text);
  return {
    plain: false,
    state,
    locks: /advisory/i.test(text),
    prepared: /prepare/i.test(text),
    settings,
    custom,
    forgets: forgetful.test(text),
    unnamed,
  };
}

/** As SQL spells it, in parts that may be quoted; as set_config takes it. */
const settingName = (spelled: string): string =>
  spelled
    .split('.')
    .map((part) => part.trim().replace(/^"(.*)"$/, '$1'))
    .join('.');
