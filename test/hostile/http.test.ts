/** Random and hostile requests over HTTP, to the programs that users start: each is answered as documented, and the next one too. */
import { Agent, request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { Schema } from '../../shared/snapshot/schema.ts';
import { type Mode, modes, type Server, startServer } from '../blog/server.ts';
import { requestsFor } from './arbitrary.ts';
import type { WholeRequest } from './request.ts';
import { PROPERTY, runs } from './runs.ts';
import { createHostileDatabase, type HostileDatabase, hostileVariables } from './schema.ts';

let hostile: HostileDatabase | undefined;
let schema: Schema;
let server: Server | undefined;

beforeAll(async () => {
  hostile = await createHostileDatabase();
  schema = await hostile.schema();
});

afterEach(() => server?.stop());

afterAll(() => hostile?.drop());

async function start(mode: Mode): Promise<Server> {
  server = await startServer(mode, hostileVariables(hostile?.uri ?? ''));
  return server;
}

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];

const agent = new Agent({ keepAlive: true, maxSockets: 4 });

/** Content-Location repeats the query, percent-encoded anew: a long target makes a head beyond the 16 KB that node:http takes. */
const HEAD_LIMIT = 1024 * 1024;

const hex = (character: string): string => `%${character.charCodeAt(0).toString(16).padStart(2, '0')}`;

/**
 * What a client of HTTP/1.1 can send of a request: known methods, no control characters, and none but ASCII in the target
 * (RFC 9112, 3.2), where node:http refuses the rest before anybody else sees it.
 */
function sendable({ method, target, headers, body }: WholeRequest): WholeRequest {
  return {
    method: METHODS.includes(method) ? method : 'GET',
    target: `/${target.slice(1, 15_000).replace(/[^\x21-\x7e]/g, hex)}`,
    headers: headers.map(([name, value]) => [name, value.replace(/[^\t\x20-\x7e\x80-\xff]/g, '').slice(0, 4000)]),
    body,
  };
}

function send(url: string, { method, target, headers, body }: WholeRequest): Promise<Answer> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const sent: string[] = ['host', `${hostname}:${port}`, ...headers.flat()];
    if (body.length > 0) sent.push('content-length', String(body.length));
    const options = { agent, host: hostname, port, method, path: target, headers: sent, maxHeaderSize: HEAD_LIMIT };
    const request = httpRequest(options, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.once('error', reject);
      response.once('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) }),
      );
    });
    request.once('error', reject);
    request.end(body);
  });
}

const SUCCESS = [200, 201, 204, 206];
/** PostgREST's codes, SQLSTATEs, and our own; an internal error is none that may be answered. */
const CODE = /^(PGRST[0-9X]\d\d|[0-9A-Z]{5}|EDGE(?!000)\d{3})$/;
const isJson = (type: string | undefined): boolean => type !== undefined && /^application\/([^;]*\+)?json\b/.test(type);

/** Checks that an answer is one that a client can rely on. */
function checkAnswer({ method }: WholeRequest, { status, headers, body }: Answer): void {
  const type = headers['content-type'];
  if (headers['content-length'] !== undefined && method !== 'HEAD')
    expect(body.length).toBe(Number(headers['content-length']));
  if (method === 'HEAD') expect(body.length).toBe(0);
  // 300 is an error too: an embed that may be meant in several ways.
  if (status < 300) {
    expect(SUCCESS).toContain(status);
    if (isJson(type) && body.length > 0) JSON.parse(body.toString());
    return;
  }
  // A range beyond the rows is told in JSON under the type that was asked for, as PostgREST does.
  if (status !== 416) expect(type).toBe('application/json; charset=utf-8');
  if (method === 'HEAD') return;
  const error: Record<string, unknown> = JSON.parse(body.toString());
  expect(Object.keys(error).sort()).toEqual(['code', 'details', 'hint', 'message']);
  expect(error.code).toMatch(CODE);
}

const read: WholeRequest = { method: 'GET', target: '/clients?select=id', headers: [], body: new Uint8Array() };

describe.each(modes)('%s', (mode) => {
  test('answers everything', PROPERTY, async () => {
    const { url, said } = await start(mode);
    const one = requestsFor(schema, 3).map(sendable);
    await fc.assert(
      fc.asyncProperty(fc.tuple(one, one, one, one), async (requests) => {
        const answers = await Promise.all(requests.map((raw) => send(url, raw)));
        for (const [i, answer] of answers.entries()) checkAnswer(requests[i] ?? read, answer);
        expect((await send(url, read)).body.toString()).toBe('[{"id":1}, \n {"id":2}]');
      }),
      runs(`batches of requests are sent to ${mode}`, mode === 'serve' ? 0.01 : 0.001),
    );
    expect(said()).not.toMatch(/internal error/i);
  });
});
