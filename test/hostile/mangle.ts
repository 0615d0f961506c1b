/** Requests that nobody means: bytes taken out, put in and repeated, and nothing but fragments. */
import type { Choices } from './choices.ts';
import type { WholeRequest } from './request.ts';
import { hostileText } from './words.ts';

const HEADERS = [
  'range',
  'prefer',
  'accept',
  'content-type',
  'cookie',
  'accept-profile',
  'content-profile',
  'range-unit',
  'x-other',
  'origin',
  'access-control-request-method',
];
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'get', ''];
const NESTED = [
  'and=(and',
  '(',
  'select=a(',
  'select=...a(',
  'or=(not.or',
  '[',
  '{"a":',
  '"',
  '->a',
  '%25',
  'select=a->',
  ',',
];

const bytes = (text: string): string => Buffer.from(text).toString('latin1');

function piece(choices: Choices): string {
  return choices.from(
    () => bytes(hostileText(choices)),
    () => encodeURIComponent(hostileText(choices)),
    () => String.fromCharCode(choices.below(256)),
    () => `%${choices.of(['0', 'ff', 'zz', 'c3', '00', ''])}`,
    () => choices.of(NESTED).repeat(choices.oneIn(10) ? choices.below(3000) : choices.below(8)),
  );
}

/** Something like a JSON Web Token. */
function token(choices: Choices): string {
  const part = (): string =>
    choices.from(
      () => Buffer.from('{"alg":"HS256"}').toString('base64url'),
      () => Buffer.from('{"role":"nobody"}').toString('base64url'),
      () => Buffer.from(hostileText(choices)).toString('base64url'),
      () => piece(choices),
    );
  return [part(), ...choices.some(3, part)].join('.');
}

/** Changes a byte string in some places. */
function mangledText(choices: Choices, text: string): string {
  let result = text;
  for (let left = choices.below(4); left > 0; left--) {
    const at = choices.below(result.length + 1);
    const until = Math.min(result.length, at + choices.below(4));
    result =
      result.slice(0, at) +
      choices.from(
        () => '',
        () => piece(choices),
        () => result.slice(at, at + choices.below(20)),
      ) +
      result.slice(until);
  }
  return result;
}

export function mangled(choices: Choices, request: WholeRequest): WholeRequest {
  const headers = request.headers.map(([name, value]): [string, string] => [
    name,
    choices.oneIn(3) ? mangledText(choices, value) : value,
  ]);
  while (choices.oneIn(4)) headers.push([choices.of(HEADERS), piece(choices)]);
  if (choices.oneIn(10))
    headers.push(['authorization', `${choices.of(['Bearer ', 'bearer', 'Basic '])}${token(choices)}`]);
  const body = Buffer.from(request.body).toString('latin1');
  return {
    method: choices.oneIn(20) ? choices.of(METHODS) : request.method,
    target: mangledText(choices, request.target),
    headers,
    body: choices.oneIn(2) ? new Uint8Array(Buffer.from(mangledText(choices, body), 'latin1')) : request.body,
  };
}
