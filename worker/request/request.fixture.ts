/** What the tests of the request step share. */

import { plainSettings } from '../../shared/snapshot/settings.fixture.ts';
import type { WorkerSettings } from '../../shared/snapshot/types.ts';
import { ApiError } from '../error.ts';
import { parseRequest } from './parse-request.ts';
import { type Parser, parseText } from './parsec.ts';
import type { ApiRequest } from './types.ts';

export const settings: WorkerSettings = {
  ...plainSettings,
  dbSchemas: ['public'],
  dbAnonRole: null,
  jwtCacheMaxEntries: 0,
};

export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
export const text = (body: Uint8Array): string => new TextDecoder().decode(body);

interface Parts {
  readonly headers?: readonly (readonly [string, string])[];
  readonly body?: string | Uint8Array;
  readonly settings?: Partial<WorkerSettings>;
}

/** Parses a request of a few parts. */
export const request = (method: string, target: string, parts: Parts = {}): ApiRequest =>
  parseRequest(
    {
      method,
      target,
      headers: parts.headers ?? [],
      body: typeof parts.body === 'string' ? bytes(parts.body) : (parts.body ?? new Uint8Array()),
    },
    { ...settings, ...parts.settings },
  );

/** The error that a call throws. */
export function refusal(call: () => unknown): ApiError {
  try {
    call();
  } catch (error) {
    if (error instanceof ApiError) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}

/** Where and why a text is refused: `[place, sentence]`. */
export function refused(parser: Parser<unknown>, source: string): readonly [string, string] {
  const { message, details } = refusal(() => parseText(parser, source, 'text'));
  return [message.slice(message.lastIndexOf('(')), String(details)];
}

/** The value of a text. */
export const parsed = <T>(parser: Parser<T>, source: string): T => parseText(parser, source, 'text');
