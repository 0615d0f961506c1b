/** The admin server: what an operator's tools ask a program, on a listener of its own. */
import { createServer, type Server, type ServerResponse } from 'node:http';

export interface AdminAnswers {
  /** Whether clients can reach the program. */
  readonly isLive: () => boolean;
  /** Whether the database is there and the schema cache is the newest: else the program is at work on it. */
  readonly isLoaded: () => Promise<boolean>;
  /** In Prometheus' text format. */
  readonly metrics: () => Promise<string>;
  /** As JSON; empty while there is none. */
  readonly schemaCache: () => string;
  /** A TopReport as JSON; empty while there is no pool. */
  readonly top: () => string;
}

function send(response: ServerResponse, status: number, body = '', type: string | null = null): void {
  const headers = ['Content-Length', String(Buffer.byteLength(body))];
  if (type !== null) headers.push('Content-Type', type);
  response.writeHead(status, headers).end(body);
}

/** What changes from one moment to the next. There is none before there is a pool. */
function sendJson(response: ServerResponse, body: string): void {
  if (body === '') send(response, 503);
  else send(response, 200, body, 'application/json; charset=utf-8');
}

async function answer(path: string, answers: AdminAnswers, response: ServerResponse): Promise<void> {
  switch (path) {
    case '/live':
      return send(response, answers.isLive() ? 200 : 500);
    case '/ready':
      if (!(await answers.isLoaded())) return send(response, 503);
      return send(response, answers.isLive() ? 200 : 500);
    case '/metrics':
      return send(response, 200, await answers.metrics(), 'text/plain; charset=utf-8');
    case '/schema_cache':
      return send(response, 200, answers.schemaCache(), 'application/json; charset=utf-8');
    case '/top':
      return sendJson(response, answers.top());
    default:
      return send(response, 404);
  }
}

/** Makes the server; it does not listen yet. `/live`, `/ready`, `/metrics`, `/schema_cache`, `/top`, and 404. */
export function createAdminServer(answers: AdminAnswers): Server {
  return createServer({ requireHostHeader: false }, (request, response) => {
    const path = request.url?.split('?', 1)[0] ?? '/';
    answer(path, answers, response).catch(() => response.destroy());
  });
}
