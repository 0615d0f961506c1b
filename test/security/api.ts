/** The API in this process, from the request to the database, without the sockets of clients: for as many requests as possible. */

import { LocalStates } from '../../pooler/cli/states.ts';
import { fixedConfig } from '../../pooler/config/configuration.ts';
import { startPooler } from '../../pooler/start.ts';
import { resolveConfig } from '../../shared/config/resolve.ts';
import { type Backend, handle } from '../../worker/handle.ts';
import type { Answer } from '../faults/http/client.ts';
import { JWT_SECRET, type Question } from '../faults/http/questions.ts';

export interface Api {
  ask(question: Pick<Question, 'method' | 'target' | 'headers' | 'body'>): Promise<Answer>;
  close(): Promise<void>;
}

async function textOf(body: Uint8Array | ReadableStream<Uint8Array> | null): Promise<string> {
  if (body === null) return '';
  if (body instanceof Uint8Array) return new TextDecoder().decode(body);
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

/** Starts it on the database of the connection string, with the schema `api`. */
export async function startApi(uri: string, anonymous: string, env: Readonly<Record<string, string>>): Promise<Api> {
  const { config, errors } = resolveConfig({
    env: {
      PGRST_DB_URI: uri,
      PGRST_DB_SCHEMAS: 'api',
      PGRST_DB_ANON_ROLE: anonymous,
      PGRST_DB_TX_END: 'commit-allow-override',
      PGRST_JWT_SECRET: JWT_SECRET,
      ...env,
    },
  });
  if (config === null) throw new Error(errors.join());
  const pooler = await startPooler({
    configuration: fixedConfig(config),
    trust: () => ({ kind: 'process' }),
    observe: () => undefined,
    onFatal: (reason) => {
      throw new Error(reason);
    },
  });
  const backend: Backend = { states: new LocalStates(pooler.source, () => undefined), hop: pooler.hop };
  return {
    ask: async ({ method, target, headers, body }) => {
      const raw = { method, target, headers: Object.entries(headers), body: Buffer.from(body) };
      const answer = await handle(raw, backend, null);
      return { kind: 'answered', status: answer.status, text: await textOf(answer.body) };
    },
    close: () => pooler.close(10_000),
  };
}
