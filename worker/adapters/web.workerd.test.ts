/** The adapter in the runtime that it is for. workerd takes what stands in a message's head for UTF-8. */
import { expect, test } from 'vitest';
import './web.test.ts';
import { toRawRequest, toResponse } from './web.ts';

const utf8 = (text: string): string => String.fromCharCode(...new TextEncoder().encode(text));

test('this is workerd', () => {
  expect(navigator.userAgent).toBe('Cloudflare-Workers');
});

test.each(['größe', 'é', '東京 🚀'])('headers and reason phrases of %s are its bytes', async (text) => {
  const raw = await toRawRequest(new Request('http://localhost/', { headers: { 'X-Test': text } }));
  expect(raw.headers).toContainEqual(['x-test', utf8(text)]);
  const headers = [['X-Test', utf8(text)]] as const;
  const response = toResponse({ status: 402, statusText: utf8(text), headers, body: null });
  expect(response.headers.get('X-Test')).toBe(text);
  expect(response.statusText).toBe(text);
});
