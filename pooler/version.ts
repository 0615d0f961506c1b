import packageJson from 'edgerest/package.json' with { type: 'json' };

/** Our own version. */
export const VERSION: string = packageJson.version;
