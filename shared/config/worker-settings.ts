import type { WorkerSettings } from '../snapshot/types.ts';
import type { Config } from './resolve.ts';

/** The part of the configuration that travels to the worker with the snapshot: no secrets, nothing that only the pooler uses. */
export function workerSettings(config: Config): WorkerSettings {
  return {
    dbSchemas: config.dbSchemas,
    dbAnonRole: config.dbAnonRole,
    dbMaxRows: config.dbMaxRows,
    dbPlanEnabled: config.dbPlanEnabled,
    dbAggregatesEnabled: config.dbAggregatesEnabled,
    dbTxAllowOverride: config.dbTxEnd.endsWith('-allow-override'),
    dbRootSpec: config.dbRootSpec,
    openapiMode: config.openapiMode,
    clientErrorVerbosity: config.clientErrorVerbosity,
    serverTimingEnabled: config.serverTimingEnabled,
    serverTraceHeader: config.serverTraceHeader,
    serverCorsAllowedOrigins: config.serverCorsAllowedOrigins,
    urlUseLegacyTargetNames: config.urlUseLegacyTargetNames,
    jwtAud: config.jwtAud,
    jwtRoleClaimKey: config.jwtRoleClaimKey,
    jwtCacheMaxEntries: config.jwtCacheMaxEntries,
    logLevel: config.logLevel,
    basePath: config.basePath,
    apikeyHeader: config.apikeyHeader,
  };
}
