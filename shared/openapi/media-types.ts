/** The media types that the document tells of. */

/** What a function answers with. */
export const ROW_TYPES: readonly string[] = [
  'application/json',
  'application/vnd.pgrst.object+json;nulls=stripped',
  'application/vnd.pgrst.object+json',
];

/** What tables and views take and answer with. */
export const TABLE_TYPES: readonly string[] = [...ROW_TYPES, 'text/csv'];

/** What the document itself comes as. */
export const DOCUMENT_TYPES: readonly string[] = ['application/openapi+json', 'application/json'];
