import { expect, test } from 'vitest';

const hex = (bytes: ArrayBuffer): string =>
  Array.from(new Uint8Array(bytes), (b) => b.toString(16).padStart(2, '0')).join('');

// RFC 4231, test case 2
test('Web Crypto signs with HMAC-SHA-256 in workerd', async () => {
  expect(navigator.userAgent).toBe('Cloudflare-Workers');
  const encode = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text);
  const key = await crypto.subtle.importKey('raw', encode('Jefe'), { name: 'HMAC', hash: 'SHA-256' }, false, ['sign']);
  const mac = await crypto.subtle.sign('HMAC', key, encode('what do ya want for nothing?'));
  expect(hex(mac)).toBe('5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843');
});
