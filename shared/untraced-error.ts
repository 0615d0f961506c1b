/** V8's, and JavaScriptCore's: how many calls of the stack a new error notes. */
const errors: ErrorConstructor & { stackTraceLimit?: unknown } = Error;

/**
 * An error that says everything by its type and fields: an answer to a client, a refusal. Where it was made is of no use to anybody, and
 * noting that takes longer than the rest of a refusal, just when there are many of them.
 */
export class UntracedError extends Error {
  constructor(message: string) {
    const limit = errors.stackTraceLimit;
    errors.stackTraceLimit = 0;
    super(message);
    errors.stackTraceLimit = limit;
  }
}
