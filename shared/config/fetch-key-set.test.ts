import { gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type Issuer, startIssuer } from '../../test/issuer.ts';
import { fetchKeySet, KeySetError } from './fetch-key-set.ts';

let issuer: Issuer;
let other: Issuer;
beforeAll(async () => {
  issuer = await startIssuer('EdDSA');
  other = await startIssuer('ES256');
});
afterEach(() => {
  issuer.answer = null;
});
afterAll(async () => {
  await issuer.stop();
  await other.stop();
});

const never = new AbortController().signal;

async function refusal(url = issuer.url, signal = never): Promise<string> {
  const error: unknown = await fetchKeySet(url, signal).catch((thrown: unknown) => thrown);
  if (!(error instanceof KeySetError)) throw new Error(`not refused: ${JSON.stringify(error)}`);
  expect(error.message).not.toContain('.well-known');
  return error.message;
}

/** Answers with this JSON once. */
const publish = (json: unknown): void => {
  issuer.answer = (response) => response.end(JSON.stringify(json));
};

describe('of a set', () => {
  test('the public members of asymmetric keys are taken', async () => {
    const [published] = issuer.published;
    publish({ keys: [{ ...published, d: 'private', x5c: ['certificate'] }] });
    expect(await fetchKeySet(issuer.url, never)).toEqual({ keys: [published], symmetric: 0 });
  });

  test('symmetric keys are left out and counted, others that are not understood are left out', async () => {
    const oct = { kty: 'oct', k: 'c2VjcmV0', alg: 'HS256', kid: 'shared' };
    publish({ keys: [oct, { kty: 'AKP', alg: 'ML-DSA-44', pub: 'x' }, { kty: 'RSA', n: 'x' }, null, oct] });
    expect(await fetchKeySet(issuer.url, never)).toEqual({ keys: [], symmetric: 2 });
  });

  test('of no keys there are none', async () => {
    publish({ keys: [] });
    expect(await fetchKeySet(issuer.url, never)).toEqual({ keys: [], symmetric: 0 });
  });
});

describe('what is no set', () => {
  test.each([
    ['a page', '<html><body>{"keys":[]}</body></html>'],
    ['another JSON', '{"issuer":"https://issuer.example.com","jwks_uri":"x"}'],
    ['one key', '{"kty":"oct","k":"c2VjcmV0"}'],
    ['keys that are no list', '{"keys":{"kty":"oct"}}'],
    ['nothing', ''],
  ])('is refused: %s', async (_, text) => {
    issuer.answer = (response) => response.end(text);
    expect(await refusal()).toBe('its answer is not a JSON Web Key Set');
  });

  test.each([201, 204, 404, 500])('is refused: an answer of status %i', async (status) => {
    issuer.answer = (response) => response.writeHead(status).end(status === 204 ? undefined : '{"keys":[]}');
    expect(await refusal()).toBe(`it answered with status ${status}`);
  });
});

describe('an answer that is too large is refused', () => {
  const large = JSON.stringify({ keys: [], padding: 'x'.repeat(300_000) });

  test.each<[string, NonNullable<Issuer['answer']>]>([
    ['of known length', (response) => response.end(large)],
    [
      'without an end',
      (response) => {
        const more = (): void => {
          if (!response.destroyed) response.write('x'.repeat(65_536), () => setImmediate(more));
        };
        more();
      },
    ],
    ['compressed', (response) => response.setHeader('content-encoding', 'gzip').end(gzipSync(large))],
  ])('%s', async (_, answer) => {
    issuer.answer = answer;
    expect(await refusal()).toBe('its answer is larger than 262144 bytes');
  });
});

test('an issuer that is silent, or stops in the middle, is not waited for', async () => {
  let asked = 0;
  issuer.answer = (response) => {
    asked += 1;
    if (asked === 1) response.write('{"keys":');
  };
  expect(await Promise.all([refusal(), refusal()])).toEqual(Array(2).fill('it did not answer within 5 seconds'));
});

test('an issuer that is away is said to be', async () => {
  await other.stop();
  expect(await refusal(other.url)).toMatch(/^it cannot be reached \(.*ECONNREFUSED/);
  await other.start();
  other.answer = (response) => response.destroy();
  expect(await refusal(other.url)).toMatch(/^it cannot be reached \(/);
  other.answer = null;
});

describe('a redirect', () => {
  const to = (location: string, status = 302) => {
    issuer.answer = (response) => response.writeHead(status, { location }).end();
  };

  test.each([301, 302, 303, 307, 308])('of status %i is followed', async (status) => {
    to(other.url, status);
    expect(await fetchKeySet(issuer.url, never)).toMatchObject({ keys: [{ kty: 'EC' }] });
  });

  test('is not followed without an end', async () => {
    const before = issuer.asked;
    to('/again');
    expect(await refusal()).toBe('it redirects more than 3 times');
    expect(issuer.asked - before).toBe(4);
  });

  test.each(['http://issuer.example.com/', 'file:///etc/passwd', 'https://user:password@issuer.example.com/'])(
    'is not followed to where the configuration could not point: %s',
    async (location) => {
      to(location);
      expect(await refusal()).toBe('it redirects to a URL that is not https');
    },
  );

  test('without a URL is refused', async () => {
    to('https://');
    expect(await refusal()).toBe('it redirects to no URL');
  });
});
