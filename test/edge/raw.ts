/** HTTP by hand: clients and libraries would tidy up what is asked here, and what is answered. */
import { connect } from 'node:net';

export interface RawAnswer {
  /** With the reason phrase: `200 OK`. */
  readonly status: string;
  /** Names in lower case, values as byte strings, in order of the names. */
  readonly headers: readonly (readonly [string, string])[];
  /** How the body is framed: by its length, in chunks, or not at all. */
  readonly framing: string;
  /** As a byte string, out of its chunks. */
  readonly body: string;
}

/** Asks with this request line, headers and body, each a byte string, on a connection of its own. */
export async function askRaw(url: string, line: string, headers: readonly string[], body = ''): Promise<RawAnswer> {
  const framed = headers.some((header) => /^(content-length|transfer-encoding):/i.test(header));
  const length = framed || body === '' ? [] : [`Content-Length: ${body.length}`];
  const head = [`${line} HTTP/1.1`, 'Host: localhost', 'Connection: close', ...headers, ...length];
  const { hostname, port } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port) });
  socket.write(`${head.join('\r\n')}\r\n\r\n${body}`, 'latin1');
  let text = '';
  // workerd leaves the connection open all the same.
  for await (const chunk of socket) {
    text += Buffer.from(chunk).toString('latin1');
    const answer = parse(text, line.startsWith('HEAD '));
    if (answer !== null) return answer;
  }
  throw new Error(`cut off: ${text}`);
}

/** Headers of the connection and the program, which say nothing of the answer. */
const CONNECTION = new Set(['connection', 'date', 'server', 'keep-alive', 'transfer-encoding', 'content-length']);

/** What an answer says; null while it is not complete. */
function parse(text: string, isHead: boolean): RawAnswer | null {
  const end = text.indexOf('\r\n\r\n');
  if (end < 0) return null;
  const [first = '', ...lines] = text.slice(0, end).split('\r\n');
  const status = first.replace(/^HTTP\/1\.1 /, '');
  const headers = lines.map((line) => {
    const colon = line.indexOf(':');
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()] as const;
  });
  const headerOf = (name: string): string | undefined => headers.find(([found]) => found === name)?.[1];
  const chunked = headerOf('transfer-encoding') === 'chunked';
  const length = headerOf('content-length');
  const rest = text.slice(end + 4);
  const bodiless = isHead || /^(1\d\d|204|304)/.test(status);
  const body = bodiless ? '' : chunked ? unchunked(rest) : rest.length >= Number(length ?? 0) ? rest : null;
  if (body === null) return null;
  return {
    status,
    headers: headers.filter(([name]) => !CONNECTION.has(name)).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)),
    framing: chunked ? 'chunks' : (length ?? 'none'),
    body,
  };
}

function unchunked(text: string): string | null {
  let body = '';
  for (let at = 0; ; ) {
    const end = text.indexOf('\r\n', at);
    if (end < 0) return null;
    const length = Number.parseInt(text.slice(at, end), 16);
    if (length === 0) return body;
    body += text.slice(end + 2, end + 2 + length);
    at = end + 2 + length + 2;
  }
}
