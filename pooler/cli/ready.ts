/** `--ready`: asks the admin server of a program that runs with this configuration whether it can serve. */
import type { Config } from '../../shared/config/resolve.ts';
import { adminTarget, askAdmin } from './admin-target.ts';

/** Milliseconds for an answer. */
const PATIENCE = 10_000;

export interface Readiness {
  readonly ready: boolean;
  /** PostgREST's words. */
  readonly message: string;
}

/** Asks once. Never rejects. */
export async function checkReady(config: Config): Promise<Readiness> {
  const target = adminTarget(config);
  if (target === null) {
    return { ready: false, message: 'ERROR: Admin server is not running. Please check admin-server-port config.' };
  }
  const url = `${target.name}/ready`;
  const answer = await askAdmin(target, '/ready', PATIENCE);
  if (answer === null) return { ready: false, message: `ERROR: connection refused to ${url}` };
  answer.resume();
  const status = answer.statusCode ?? 0;
  const ready = status >= 200 && status < 300;
  return { ready, message: `${ready ? 'OK' : 'ERROR'}: ${url}` };
}
