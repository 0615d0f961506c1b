/** The pooler's door, on a real socket: who may not be whom, and bytes that are no message. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { encodeRequest, REQUEST_TYPE } from '../../shared/hop/codec.ts';
import type { TransactionRequest } from '../../shared/hop/types.ts';
import type { Snapshot } from '../../shared/snapshot/types.ts';
import { HttpHop } from '../../worker/hop/http.ts';
import { Progress, patience, SEED, share } from '../faults/amount.ts';
import { token } from '../faults/http/questions.ts';
import { bodyOf, messageOf } from '../message.ts';
import { POOLER_SECRET, place } from './place.ts';

const made = place(
  'door',
  {},
  ({ login, roles: [alice] }) => `create role ${alice}_boss superuser; create role ${alice}_bypass bypassrls;
    grant ${alice}_boss, ${alice}_bypass to ${login};`,
  ({ roles: [alice] }) => [`${alice}_boss`, `${alice}_bypass`],
);

async function snapshotOf(hop: HttpHop): Promise<Snapshot> {
  const fetched = await hop.fetchSnapshot([], null);
  if (fetched.kind !== 'new') throw new Error(fetched.kind);
  return fetched.snapshot;
}

async function message(
  change: Partial<TransactionRequest>,
): Promise<{ readonly hop: HttpHop; readonly request: TransactionRequest }> {
  const hop = new HttpHop({ url: made().pooler.url, secret: POOLER_SECRET });
  const asked = { target: '/me', token: null, role: 'anybody' };
  return { hop, request: { ...messageOf(await snapshotOf(hop), asked), ...change } };
}

test('whatever role a message names, it has the one of its token', async () => {
  const { names } = made();
  const [alice, bob = ''] = names.roles;
  for (const role of [alice, `${alice}_boss`, names.login, 'none', '']) {
    const { hop, request } = await message({ role, claims: '{"role":"x"}', token: token({ role: bob, nonce: 'n' }) });
    const outcome = await hop.transaction(request, null, null);
    const claims = JSON.stringify({ nonce: 'n', role: bob });
    expect(JSON.parse(await bodyOf(outcome))).toEqual([{ who: bob, claims, nonce: null }]);
  }
});

test('a token of a role that is for nobody is refused', async () => {
  const { names } = made();
  const [alice] = names.roles;
  for (const role of [names.login, `${alice}_boss`, `${alice}_bypass`, 'none', 'postgres']) {
    const { hop, request } = await message({ role: alice, token: token({ role }) });
    expect(await hop.transaction(request, null, null), role).toMatchObject({
      ok: false,
      failure: { kind: 'refused', reason: 'role', status: 403 },
    });
  }
});

const messages = share(0.02, 300);

test('a message with bytes changed, cut, repeated or added is refused or means what it says, and the next one is well', {
  timeout: patience(messages),
}, async () => {
  const { pooler, names } = made();
  const { hop, request } = await message({ token: token({ role: names.roles[1] ?? '', nonce: 'n' }) });
  const whole = encodeRequest(request, new TextEncoder().encode('a payload'));
  const post = async (body: Uint8Array): Promise<string> => {
    const headers = { authorization: `Bearer ${POOLER_SECRET}`, 'content-type': REQUEST_TYPE };
    const answer = await fetch(`${pooler.url}/v1/transaction`, { method: 'POST', headers, body: new Uint8Array(body) });
    await answer.arrayBuffer();
    return `${answer.status} ${answer.headers.has('edgerest-result') || answer.headers.has('edgerest-failure')}`;
  };
  const progress = new Progress('messages that are mangled', messages);
  const place = fc.nat(whole.length - 1);
  const mangled = fc.oneof(
    fc.tuple(place, fc.nat(255)).map(([at, value]) => whole.with(at, value)),
    fc
      .tuple(place, fc.uint8Array({ maxLength: 50 }))
      .map(([at, noise]) => Buffer.concat([whole.subarray(0, at), noise, whole.subarray(at)])),
    fc.tuple(place, place).map(([from, to]) => whole.subarray(Math.min(from, to), Math.max(from, to))),
    fc
      .tuple(fc.nat(7), fc.uint8Array({ minLength: 4, maxLength: 4 }))
      .map(([at, length]) => Buffer.concat([whole.subarray(0, at), length, whole.subarray(at + 4)])),
    fc.uint8Array({ maxLength: 1000 }),
  );
  await fc.assert(
    fc.asyncProperty(mangled, async (body) => {
      progress.count();
      expect(await post(body)).toMatch(/^(200|400|401|403|413) true$/);
    }),
    { numRuns: messages, seed: SEED },
  );
  expect(await hop.transaction(request, null, null)).toMatchObject({ ok: true });
});
