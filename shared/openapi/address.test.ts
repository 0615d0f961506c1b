import { expect, test } from 'vitest';
import { addressOf } from './address.ts';

const server = { serverHost: '!4', serverPort: 3000 };

test.each([
  ['https://postgrest.com', 'https', 'postgrest.com:443', '/'],
  ['http://postgrest.com', 'http', 'postgrest.com:80', '/'],
  ['https://postgrest.com:8080/openapi.json', 'https', 'postgrest.com:8080', '/openapi.json'],
  ['HTTPS://Example.com/API/', 'https', 'Example.com:443', '/API/'],
  ['http://[2001:db8::1]:8080/a%20b', 'http', '[2001:db8::1]:8080', '/a%20b'],
  ['https://[::1]', 'https', '[::1]:443', '/'],
  ['https://example.com:443', 'https', 'example.com:443', '/'],
])('openapi-server-proxy-uri %s', (openapiServerProxyUri, scheme, host, basePath) => {
  expect(addressOf({ ...server, openapiServerProxyUri })).toEqual({ scheme, host, basePath });
});

test.each([
  ['!4', '0.0.0.0:3000'],
  ['*', '0.0.0.0:3000'],
  ['*6', '0.0.0.0:3000'],
  ['api.local', 'api.local:3000'],
])('without it, server-host %s', (serverHost, host) => {
  expect(addressOf({ ...server, serverHost, openapiServerProxyUri: null })).toEqual({
    scheme: 'http',
    host,
    basePath: '/',
  });
});
