import type { WorkerSettings } from './types.ts';

/** A worker's settings for tests, which change what they are about. */
export const plainSettings: WorkerSettings = {
  dbSchemas: ['api'],
  dbAnonRole: 'anon',
  dbMaxRows: null,
  dbPlanEnabled: false,
  dbAggregatesEnabled: false,
  dbTxAllowOverride: false,
  dbRootSpec: null,
  openapiMode: 'follow-privileges',
  clientErrorVerbosity: 'verbose',
  serverTimingEnabled: false,
  serverTraceHeader: null,
  serverCorsAllowedOrigins: null,
  urlUseLegacyTargetNames: true,
  jwtAud: null,
  jwtRoleClaimKey: '$.role',
  jwtCacheMaxEntries: 1000,
  logLevel: 'error',
  basePath: '',
  apikeyHeader: false,
};
