import { plainSettings } from './settings.fixture.ts';
import type { Snapshot } from './types.ts';

/** The snapshot of a database without anything in it, and what a test changes of it. */
export const emptySnapshot = (change: Partial<Snapshot> = {}): Snapshot => ({
  version: 'v1',
  loadedAt: 0,
  serverVersion: 180000,
  tables: [],
  relationships: [],
  concealedOrigins: [],
  routines: [],
  representations: [],
  mediaHandlers: [],
  settings: plainSettings,
  ...change,
});
