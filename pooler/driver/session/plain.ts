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

/** What may stand before a parenthesis: words of the grammar, types with a length, and functions that are PostgreSQL's own. */
const beforeParenthesis: ReadonlySet<string> = new Set(
  `select from where and or not in is any all some exists on using by between case when then else having limit offset fetch union
  except intersect distinct lateral as materialized with values array row over partition filter within like ilike similar to order
  group join inner left right full cross natural interval
  varchar char character numeric decimal timestamp timestamptz time timetz bit float varbit
  cast coalesce nullif greatest least extract count sum avg min max bool_and bool_or every array_agg string_agg json_agg jsonb_agg
  json_object_agg jsonb_object_agg json_build_object jsonb_build_object json_build_array jsonb_build_array to_json to_jsonb row_to_json
  row_number rank dense_rank lag lead first_value last_value lower upper length char_length octet_length trim btrim ltrim rtrim substring
  substr position overlay concat concat_ws replace left right round abs floor ceil ceiling mod power sqrt now date_trunc date_part age
  to_char to_date to_timestamp to_number array_length cardinality unnest generate_series md5 encode decode format version`.split(
    /\s+/,
  ),
);

/** Characters. Longer texts have other costs. */
const longest = 20_000;

/** Whether a text does nothing but read, and begin and end transactions. */
export function isPlain(text: string): boolean {
  if (text.length > longest) return false;
  // Between two tokens: the word that was last, '' where it was none, null before the first of a statement.
  let last: string | null = null;
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
      // Another schema may have one of the same name.
      last = qualified ? '.' : word;
    } else if (kind === ';') last = null;
    else if (last === null) return false;
    else if (kind === '(' && !(last === '' || beforeParenthesis.has(last))) return false;
    // A name in quotes before a parenthesis is a function's.
    else last = kind === '"' ? '"' : '';
    qualified = kind === '.';
  }
  return true;
}
