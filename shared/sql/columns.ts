/**
 * The main statement's row: what its columns are, by index. Who writes and who reads it both look here. The body is the
 * last one, so that it can be passed on while it arrives.
 */
export const COLUMN = {
  /** Rows without limit and offset; null when nobody asked. */
  total: 0,
  /** Rows of the answer. */
  page: 1,
  /** Rows that an upsert inserted; null when none was looked at, '' when it is no upsert. */
  inserted: 2,
  /** JSON array of `key=eq.value` for Location; null when there is no single inserted row, or nobody asked. */
  location: 3,
  /** The count that a guard looks at; its own column is only there to leave it behind. */
  guard: 4,
  /** `response.headers` and `response.status` as functions left them, or null. */
  headers: 5,
  status: 6,
  body: 7,
} as const;

/**
 * Where the body stands when a function of the database makes it, which may set `response.headers`: columns are evaluated
 * in order. It changes places with the guard.
 */
export const EARLY_BODY = COLUMN.guard;
