/** A driver endpoint for workers that have no pooler: SQL over HTTP and WebSockets, as Neon has it. */
import { edgerest as program } from '../../pooler/cli/program.fixture.ts';
import { portOf } from '../operating/program.ts';
import type { StandaloneDatabase } from './database.ts';

/** Starts it and gives its port; `killAll` ends it. */
export async function startEndpoint({ loginUri }: StandaloneDatabase): Promise<number> {
  const door = program(['pooler'], {
    PGRST_DB_URI: loginUri,
    PGRST_DB_SCHEMAS: 'api',
    EDGEREST_POOLER_SECRET: 'x'.repeat(32),
    EDGEREST_POOLER_PORT: '0',
    EDGEREST_DRIVER_PORT: '0',
  });
  return await portOf(door, 'Driver endpoint');
}
