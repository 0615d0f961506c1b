import packageJson from 'edgerest/package.json' with { type: 'json' };

/** Our own version. */
export const VERSION: string = packageJson.version;

/** The PostgREST whose API this is. */
export const POSTGREST_VERSION = '16.2';
