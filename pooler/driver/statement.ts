/** What can be told of a statement by its text alone: enough to save work, never what something depends on. */

/** Cannot end a transaction while it runs: may be kept prepared and, where its plan has grown stale, sent again. */
const QUERY = /^\s*(?:select|insert|update|delete|merge|with|values|table)\b/i;
/** Characters up to which a statement is kept prepared: each connection keeps some hundreds. */
const KEPT = 8192;

/** How the statement is sent: with a name, so that its plan is kept on the connection, or without. */
export const prepareOf = (text: string): 'named' | 'unnamed' =>
  text.length <= KEPT && QUERY.test(text) ? 'named' : 'unnamed';

const READ = /^\s*(?:select|values|table)\b/i;
/** A second statement, a comment that may hide something, a name in parts with space between, `select into`. */
const DOUBTFUL = /;|--|\/\*|\s\.|\.\s|\binto\b/i;
/** What stands before each parenthesis: every byte above ASCII may be part of a name. */
const BEFORE_PARENTHESIS = /([\w$".\u0080-\uffff]+)?\s*\(/g;
/** Words that no function can be called by without quotes (PostgreSQL docs, "SQL Key Words": reserved, or no function name). */
const NO_FUNCTION = new Set(
  (
    'all and any array as case coalesce distinct else except exists from greatest having in intersect lateral least limit ' +
    'not nullif offset on or row select some then union using values when where'
  ).split(' '),
);

/**
 * Whether it is a read that calls no function by name: it leaves nothing behind in the session. What views, operators and policies call
 * for it is not looked at, as with the API's reads.
 */
export function leavesNothing(text: string): boolean {
  if (!READ.test(text) || DOUBTFUL.test(text)) return false;
  for (const [, word] of text.matchAll(BEFORE_PARENTHESIS)) {
    if (word !== undefined && !NO_FUNCTION.has(word.toLowerCase())) return false;
  }
  return true;
}
