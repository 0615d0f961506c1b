/**
 * Texts that only read tables and views, or begin and end transactions: they leave nothing behind in a session, unless a view, an
 * operator, a type or a policy of the database's own does. Whatever is not seen at once to be one counts as something else.
 */

/** As PostgreSQL cuts them (src/backend/parser/scan.l): of spaces it knows no others, and either end of a line ends a comment. */
const token =
  /[ \t\n\r\f\v]+|--[^\n\r]*|\/\*(?:[^*/]|\*(?!\/)|\/(?!\*))*\*\/|'[^'\\]*'|"[^"]*"|\$\d+|[a-z_][\w$]*|\d[\w.]*|[(),.;[\]:]|(?:(?!\/\*)[-+*/<>=~!@#%^&|?](?!-|\/\*))+|(?!\/\*)[-+*/<>=~!@#%^&|?]/giy;

const first: ReadonlySet<string> = new Set(
  'select with values table show begin start commit end rollback abort savepoint release'.split(' '),
);

/** Words with which a SELECT, or a WITH before one, does more than read. */
const writing: ReadonlySet<string> = new Set('into insert update delete merge'.split(' '));

/** Words that no function can be called by without quotes (PostgreSQL docs, appendix C: reserved, or no function's name). */
const grammar = `select from where and or not in any all some exists on using between case when then else having limit offset fetch
  union except intersect distinct lateral as with values array row group order interval varchar char character numeric decimal
  timestamp time bit float coalesce nullif greatest least extract position overlay substring trim cast`;

/** Words that could be a function's, but that are the grammar's own behind a value: no call can follow one. */
const behindValue: ReadonlySet<string> = new Set('over filter join like ilike'.split(' '));

/** And behind these words. */
const pairs: ReadonlySet<string> = new Set([
  'order by',
  'group by',
  'as materialized',
  ...'left right inner full cross outer'.split(' ').map((kind) => `${kind} join`),
]);

/** PostgreSQL's own functions. Whoever makes another one of the same name for types of their own has what policies and views call, too. */
const functions = `timestamptz timetz varbit count sum avg min max bool_and bool_or every array_agg string_agg json_agg jsonb_agg
  json_object_agg jsonb_object_agg json_build_object jsonb_build_object json_build_array jsonb_build_array to_json to_jsonb row_to_json
  row_number rank dense_rank lag lead first_value last_value lower upper length char_length octet_length btrim ltrim rtrim
  substr concat concat_ws replace left right round abs floor ceil ceiling mod power sqrt now date_trunc date_part age
  to_char to_date to_timestamp to_number array_length cardinality unnest generate_series md5 encode decode format version`;

/** What may stand before a parenthesis anywhere. */
const beforeParenthesis: ReadonlySet<string> = new Set(`${grammar} ${functions}`.split(/\s+/));

/** Characters. Longer texts have other costs. */
const longest = 20_000;

/** Stands for a token that ends a value and is no word. */
const VALUE = ')';

/** Whether a parenthesis may follow: `last` is the word before it or what stands for one, `before` the one before that. */
function opensNoCall(last: string, before: string): boolean {
  if (last === '' || last === VALUE || beforeParenthesis.has(last)) return true;
  return before === VALUE || before === '"' ? behindValue.has(last) : pairs.has(`${before} ${last}`);
}

/** Characters of a text whose verdict is kept, and how many there is room for: a power of two. */
const keptLength = 2048;
const places = 512;

interface Verdict {
  readonly text: string;
  readonly plain: boolean;
}

/** Each at the place that its text has: a table that every new text changes would be dearer to collect than it is worth. */
const verdicts: (Verdict | undefined)[] = Array.from({ length: places });

/** By its length and a few of its characters, since hashing all of them takes longer than comparing with one other text. */
function placeOf(text: string): number {
  const { length } = text;
  let place = length;
  for (let part = 1; part <= 5; part++) place = place * 31 + text.charCodeAt(Math.floor((length * part) / 6));
  return place & (places - 1);
}

/** Whether a text does nothing but read, and begin and end transactions. */
export function isPlain(text: string): boolean {
  if (text.length > keptLength) return text.length <= longest && onlyReads(text);
  const place = placeOf(text);
  const known = verdicts[place];
  if (known?.text === text) return known.plain;
  const plain = onlyReads(text);
  verdicts[place] = { text, plain };
  return plain;
}

function onlyReads(text: string): boolean {
  // Between two tokens: the word that was last, VALUE or '' where it was none, null before the first of a statement.
  let last: string | null = null;
  let before = '';
  let qualified = false;
  let end = 0;
  while (end < text.length) {
    token.lastIndex = end;
    const found = token.exec(text)?.[0];
    if (found === undefined) return false;
    const next = text[end + found.length];
    end += found.length;
    const kind = found.charAt(0);
    if (/\s/.test(kind) || found.startsWith('--') || found.startsWith('/*')) continue;
    if (/[a-z_]/i.test(kind)) {
      const word = found.toLowerCase();
      // E'…', U&'…' and the like have other rules.
      if (next === "'" || (next === '&' && word === 'u')) return false;
      if (last === null ? !first.has(word) : writing.has(word)) return false;
      // Behind the parenthesis of DISTINCT ON a call can follow.
      if (word === 'on' && last === 'distinct') return false;
      before = last ?? '';
      // Another schema may have one of the same name.
      last = qualified ? '.' : word;
    } else if (kind === ';') last = null;
    else if (last === null) return false;
    else if (kind === '(' && !opensNoCall(last, before)) return false;
    else {
      before = last;
      // A name in quotes before a parenthesis is a function's.
      if (kind === '"') last = '"';
      else last = /[)\]'$\d]/.test(kind) ? VALUE : '';
    }
    qualified = kind === '.';
  }
  return true;
}
