/** What `serve`, `pooler` and `edge` have in common: signals, log, admin server, and the pooler that they open to others. */
import type { Config } from '../../shared/config/resolve.ts';
import { accessWriter } from '../log/access.ts';
import { observationLog } from '../log/messages.ts';
import { Memory } from '../memory.ts';
import type { Observe } from '../observation.ts';
import { type Pooler, startPooler, type TrustOf } from '../start.ts';
import { VERSION } from '../version.ts';
import { Admin } from './admin.ts';
import type { Configured } from './config.ts';
import { checkDriverDoor, openDriverDoor } from './driver.ts';
import { boundGarbage } from './heap.ts';
import { adminPlace } from './listen.ts';
import { onReload } from './reload.ts';
import { DRAIN_TIMEOUT, onShutdown, type Shutdown } from './shutdown.ts';
import { watchDrain } from './slow-drain.ts';

export interface Program {
  /** As of the start. */
  readonly config: Config;
  readonly observe: Observe;
  readonly shutdown: Shutdown;
  readonly pooler: Pooler;
  /** For the bodies of requests, by whichever server they come. */
  readonly memory: Memory;
  /** Says that the program can be reached, and how to tell whether it still can. */
  opened(server: string, address: string, isReachable: () => boolean): void;
}

/** Observes what happens in the log and, where somebody may ask for them, in the metrics. */
function observer({ configuration, log }: Configured, admin: Admin | null): Observe {
  // A reader of the log that goes away does not end the program.
  for (const output of [process.stdout, process.stderr]) output.on('error', () => undefined);
  const access = accessWriter();
  const isDebug = (): boolean => configuration.current.logLevel === 'debug';
  const write = observationLog(log, access, isDebug);
  if (admin === null) return write;
  return (observation) => {
    admin.observe(observation);
    write(observation);
  };
}

export interface ProgramOptions {
  /** What it is called in the log, with its version. */
  readonly name: string;
  readonly configured: Configured;
  /** Whose word counts for a request. Called once, with what observes the program. */
  readonly trust: (observe: Observe) => TrustOf;
}

/** Starts what there is of a program without its own server; it ends with the process. Throws StartError. */
export async function startProgram({ name, configured, trust }: ProgramOptions): Promise<Program> {
  const { configuration } = configured;
  const config = configuration.current;
  const driver = checkDriverDoor(config);
  const place = adminPlace(config);
  const program = `edgerest ${VERSION}${name}`;
  const admin = place === null ? null : new Admin(program);
  const observed = observer(configured, admin);
  let running: Pooler | null = null;
  const observe: Observe = (observation) => {
    observed(observation);
    if (observation.kind === 'stopping') watchDrain(() => running, observed);
  };
  // In this order: who reads that it starts may want to stop it.
  const shutdown = onShutdown(observe);
  boundGarbage();
  observe({ kind: 'starting', program });
  if (admin !== null && place !== null) {
    const { address } = await admin.listen(place);
    shutdown.add(() => admin.close());
    observe({ kind: 'listening', server: 'Admin server', address });
  }
  const reloading = onReload();
  const pooler = await startPooler({
    configuration,
    observe,
    trust: trust(observe),
    onFatal: () => shutdown.end(1),
  });
  running = pooler;
  shutdown.add(() => pooler.close(DRAIN_TIMEOUT));
  reloading(pooler.source);
  admin?.watch(pooler);
  if (driver !== null) await openDriverDoor(driver, config, pooler, observe, shutdown);
  return {
    config,
    observe,
    shutdown,
    pooler,
    memory: new Memory(config.maxBuffered),
    opened: (server, address, isReachable) => {
      admin?.opened(isReachable);
      observe({ kind: 'listening', server, address });
    },
  };
}
