import { expect, test } from 'vitest';
import { networkOf, QueueKeys } from './queue-key.ts';

const claims = (value: unknown): string => JSON.stringify(value);

test('without queueKey it is the role, and the network of an anonymous client', () => {
  const keys = new QueueKeys({ queueKey: null, dbAnonRole: 'anon' });
  expect(keys.of({ role: 'alice', claims: '{}' }, '192.0.2.7')).toBe('alice');
  expect(keys.of({ role: 'anon', claims: '{}' }, '192.0.2.7')).toBe('anon 192.0.2.0/24');
  expect(keys.of({ role: 'anon', claims: '{}' }, null)).toBe('anon');
  expect(keys.of({ role: 'anon', claims: '{}' }, 'unknown')).toBe('anon');
  expect(new QueueKeys({ queueKey: null, dbAnonRole: null }).of({ role: 'anon', claims: '{}' }, '::1')).toBe('anon');
});

test('with queueKey it is the claim, where there is one', () => {
  const keys = new QueueKeys({ queueKey: '$.app.tenant', dbAnonRole: 'anon' });
  const of = (value: unknown, role = 'alice') => keys.of({ role, claims: claims(value) }, '2001:db8::1');
  expect(of({ app: { tenant: 'red' } })).toBe('red');
  expect(of({ app: { tenant: 'red' }, role: 'anon' }, 'anon')).toBe('red');
  expect(of({ app: { tenant: 17 } })).toBe('17');
  expect(of({ app: {} })).toBe('alice');
  expect(of({ app: {} }, 'anon')).toBe('anon 2001:db8:0:0::/64');
  expect(of({ app: { tenant: 'x'.repeat(5000) } })).toHaveLength(200);
  // A worker whose word counts may send anything.
  expect(keys.of({ role: 'alice', claims: 'no json' }, null)).toBe('alice');
  for (let i = 0; i < 3000; i++) expect(of({ app: { tenant: `t${i}` } })).toBe(`t${i}`);
});

test.each([
  ['203.0.113.255', '203.0.113.0/24'],
  ['2001:DB8:0001:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:db8::1', '2001:db8:0:0::/64'],
  ['::', '0:0:0:0::/64'],
  ['::1', '0:0:0:0::/64'],
  ['1::', '1:0:0:0::/64'],
  ['fe80::1:2:3:4%eth0', 'fe80:0:0:0::/64'],
  ['64:ff9b::192.0.2.1', '64:ff9b:0:0::/64'],
  ['1:2:3:4:5:6:192.0.2.1', '1:2:3:4::/64'],
  ['1:2:3:4:5:6:7::', '1:2:3:4::/64'],
  ['::2:3:4:5:6:7:8', '0:2:3:4::/64'],
  ['', null],
  ['1.2.3', null],
  ['example.com', null],
])('the network of %s is %s', (address, network) => {
  expect(networkOf(address)).toBe(network);
});
