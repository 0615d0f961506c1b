/** The main statement's row: what the columns are, in order. Both who writes and who reads it look here. */
export const COLUMN = {
  /** Rows without limit and offset; null when nobody asked. */
  total: 0,
  /** Rows of the answer. */
  page: 1,
  body: 2,
  /** `response.headers` and `response.status` as functions left them, or null. */
  headers: 3,
  status: 4,
  /** Rows that an upsert inserted; null or '' when it is no upsert. */
  inserted: 5,
  /** JSON array of `key=eq.value` for Location, or null; only there for inserts with `return=headers-only`. */
  location: 6,
} as const;
