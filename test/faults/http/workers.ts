/** A worker apart from its pooler, in each runtime, and a proxy between the two that makes faults. */
import { startObject } from '../../edge/object.ts';
import { startWorker as startWorkerd } from '../../edge/program.ts';
import { FaultProxy } from '../proxy.ts';
import { startNodeWorker } from './worker.ts';

/** Where the worker runs, and what carries the hop: HTTP, but a WebSocket from the Durable Object. */
export type Apart = 'two halves' | 'two halves over TLS' | 'workerd' | 'Durable Object';

export interface Worker {
  /** Where the API is. */
  readonly port: number;
  /** Between it and the pooler; null without one. */
  readonly proxy: FaultProxy | null;
  close(): Promise<void>;
}

interface Started {
  readonly port: number;
  close(): Promise<unknown>;
}

async function start(apart: Apart, port: number, secret: string): Promise<Started> {
  switch (apart) {
    case 'two halves':
      return await startNodeWorker(`http://127.0.0.1:${port}`, secret);
    case 'two halves over TLS':
      // The certificate's name.
      return await startNodeWorker(`https://localhost:${port}`, secret);
    case 'workerd':
      return started(await startWorkerd(`http://127.0.0.1:${port}`, secret));
    case 'Durable Object':
      return started(await startObject(`ws://127.0.0.1:${port}`, secret));
  }
}

const started = ({ url, stop }: { readonly url: string; stop(): Promise<unknown> }): Started => ({
  port: Number(new URL(url).port),
  close: stop,
});

/** Starts it for the pooler on this port. */
export async function startWorker(apart: Apart, pooler: number, secret: string, proxied: boolean): Promise<Worker> {
  const proxy = proxied ? new FaultProxy(pooler) : null;
  const { port, close } = await start(apart, (await proxy?.listen()) ?? pooler, secret);
  return {
    port,
    proxy,
    close: async () => {
      await close();
      await proxy?.close();
    },
  };
}
