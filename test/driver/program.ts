/** The programs with the driver's door, for tests. */
import { afterAll, afterEach, beforeAll } from 'vitest';
import { killAll } from '../../pooler/cli/program.fixture.ts';
import { type Office, office, type Process, portOf } from '../operating/program.ts';
import { uniqueName } from '../postgres.ts';

const PASSWORD = 'own';

export interface Programs extends Office {
  /** Who clients log in as. */
  readonly user: string;
  readonly password: string;
  /** A connection string for the user. */
  uri(): string;
  /** Starts a program that has the door, on a free port of 127.0.0.1, and waits until it listens. It is killed after the test. */
  opened(
    env?: Readonly<Record<string, string>>,
    command?: 'serve' | 'pooler' | 'edge',
  ): Promise<{ readonly process: Process; readonly port: number }>;
}

/** Programs for the tests of a file, with a database behind them and a user of its own. `script`: run in it; `USER` stands for the user. */
export function programs(prefix: string, script = ''): Programs {
  const open = office(prefix);
  const user = uniqueName(`${prefix}_user`);
  beforeAll(async () => {
    await open.database.sql
      .unsafe(`create role ${user} login password '${PASSWORD}'; ${script.replaceAll('USER', user)}`)
      .simple();
  });
  afterAll(async () => {
    await open.database.sql.unsafe(`drop owned by ${user}; drop role ${user}`).simple();
  });
  afterEach(killAll);
  return Object.assign(open, {
    user,
    password: PASSWORD,
    uri: () => open.database.uriAs(user, PASSWORD),
    opened: async (env: Readonly<Record<string, string>> = {}, command: 'serve' | 'pooler' | 'edge' = 'serve') => {
      const process = open.start(command, { EDGEREST_DRIVER_PORT: '0', ...env });
      return { process, port: await portOf(process, 'Driver endpoint') };
    },
  });
}
