/** Comments of database objects as titles, summaries and descriptions. */

export interface Comment {
  /** The first line. */
  readonly title: string;
  /** The rest without the line breaks in front of it: a blank line may separate the two. */
  readonly rest: string;
}

/** Splits a comment; null when there is none. */
export function splitComment(comment: string | null): Comment | null {
  if (comment === null) return null;
  const end = comment.indexOf('\n');
  if (end < 0) return { title: comment, rest: '' };
  return { title: comment.slice(0, end), rest: comment.slice(end).replace(/^\n+/, '') };
}
