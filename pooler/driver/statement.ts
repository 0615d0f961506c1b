/** What can be told of a statement by its text alone: enough to save work, never what something depends on. */
import { isPlain } from './plain.ts';

/** Cannot end a transaction while it runs: may be kept prepared and, where its plan has grown stale, sent again. */
const QUERY = /^\s*(?:select|insert|update|delete|merge|with|values|table)\b/i;
/** Characters up to which a statement is kept prepared: each connection keeps some hundreds. */
const KEPT = 8192;

/** How the statement is sent: with a name, so that its plan is kept on the connection, or without. */
export const prepareOf = (text: string): 'named' | 'unnamed' =>
  text.length <= KEPT && QUERY.test(text) ? 'named' : 'unnamed';

/**
 * Whether it is a read that calls no function but PostgreSQL's own: it leaves nothing behind in the session. What views, operators and
 * policies call for it is not looked at, as with the API's reads.
 */
export const leavesNothing = (text: string): boolean => prepareOf(text) === 'named' && isPlain(text);
