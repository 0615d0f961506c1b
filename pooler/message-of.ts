/** What a caught value says, in one text. */
export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
