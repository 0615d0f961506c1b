/** Runtimes that need something of their own. */

export const isDeno: boolean = 'Deno' in globalThis;
