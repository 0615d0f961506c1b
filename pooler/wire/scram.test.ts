import { expect, test } from 'vitest';
import { saslPrepared } from './saslprep.ts';
import { ScramError, ScramExchange } from './scram.ts';

// RFC 7677, section 3, with the empty user name that PostgreSQL wants; the proof and signature follow from it.
const nonce = 'rOprNGfwEbeRWgbNEkqO';
const challenge = `r=${nonce}%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096`;

const begun = (header: 'none' | 'not offered' = 'none') => {
  const exchange = new ScramExchange('pencil', { kind: header }, nonce);
  return { exchange, first: exchange.first() };
};

test('an exchange is answered as RFC 7677 computes it', async () => {
  const { exchange, first } = begun();
  expect(first).toBe(`n,,n=,r=${nonce}`);
  const final = await exchange.final(challenge);
  expect(final).toMatch(/^c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj\)hNlF\$k0,p=[A-Za-z0-9+/]{43}=$/);
  expect(() => exchange.verify('v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=')).toThrow(ScramError);
  expect(() => exchange.verify('e=invalid-proof')).toThrow(ScramError);
  expect(() => exchange.verify('')).toThrow(ScramError);
});

test('the header says whether the client could have bound the channel', () => {
  expect(begun('not offered').first).toBe(`y,,n=,r=${nonce}`);
  const bound = new ScramExchange('pencil', { kind: 'bound', certificateHash: Buffer.from('hash') }, nonce);
  expect([bound.mechanism, bound.first()]).toEqual(['SCRAM-SHA-256-PLUS', `p=tls-server-end-point,,n=,r=${nonce}`]);
});

test.each([
  ['', 'malformed'],
  [challenge.replace(nonce, 'another'), 'malformed'],
  [challenge.replace(/%[^,]*/, ''), 'malformed'],
  [challenge.replace('i=4096', 'i=0'), 'iterations'],
  [challenge.replace('i=4096', 'i=99999999'), 'iterations'],
])('the challenge %j is refused', async (given, why) => {
  await expect(begun().exchange.final(given)).rejects.toThrow(why);
});

test('passwords are prepared as RFC 4013 says', () => {
  const prepared = (text: string) => saslPrepared(text);
  expect(prepared('I\u00adX')).toBe('IX');
  expect(prepared('user')).toBe('user');
  expect(prepared('\u00aa')).toBe('a');
  expect(prepared('\u2168')).toBe('IX');
  expect(prepared('a\u00a0b\u3000c')).toBe('a b c');
  expect(prepared('e\u0301')).toBe('\u00e9');
  // Prohibited: taken as it is.
  expect(prepared('\u0007\u2168')).toBe('\u0007\u2168');
  expect(prepared('\u00ad')).toBe('\u00ad');
  expect(prepared('\u200e\u2168')).toBe('\u200e\u2168');
});
