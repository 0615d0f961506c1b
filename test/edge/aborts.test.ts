/** Clients that go away, from a worker that has just started and from one that is warm: nobody else notices. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Random } from '../faults/random.ts';
import { type Answer, ask, askAndLeave, type Departure, type Question, visit } from './client.ts';
import { createEdgeDatabase, type EdgeDatabase, POOL_SIZE, type Session } from './database.ts';
import { type Program, startProgram } from './program.ts';

let database: EdgeDatabase;

beforeAll(async () => {
  database = await createEdgeDatabase();
});
afterAll(() => database.drop());

const isIdle = ({ state }: Session): boolean => state === 'idle';
const busy = (sessions: readonly Session[]): number => sessions.filter(({ state }) => state === 'active').length;

/** A question with a nonce, and what must be answered: through a function both ways, large and small, and through a column's name. */
function questionWith(nonce: string, random: Random): { readonly question: Question; readonly json: unknown } {
  const padding = random.pick([0, 0, 100, 200_000]);
  const echo = { nonce, role: database.anon, padding: 'x'.repeat(padding) };
  const id = 1 + random.below(1000);
  switch (random.below(4)) {
    case 0:
      return {
        question: { method: 'POST', target: '/rpc/echo', body: JSON.stringify({ nonce, padding }) },
        json: echo,
      };
    case 1:
      return { question: { method: 'GET', target: `/rpc/echo?nonce=${nonce}&padding=${padding}` }, json: echo };
    case 2:
      return {
        question: { method: 'GET', target: `/item?id=eq.${id}&select=${nonce}:name` },
        json: [{ [nonce]: `item ${id}` }],
      };
    default:
      return {
        question: { method: 'GET', target: `/rpc/lines?nonce=${nonce}&count=5000` },
        json: Array.from({ length: 5000 }, (_, n) => `${nonce} ${n + 1}`),
      };
  }
}

const seen = ({ status, text }: Answer): unknown => (status === 200 ? JSON.parse(text) : [status, text]);

/** So many at once, of which every other one goes away; the others get what they asked for. */
async function crowd(url: string, size: number, random: Random): Promise<void> {
  const stay: { readonly answer: Promise<Answer>; readonly json: unknown }[] = [];
  const leave: Promise<void>[] = [];
  for (let n = 0; n < size; n++) {
    const { question, json } = questionWith(`n${n}_${random.below(1e9)}`, random);
    if (n % 2 === 0) leave.push(askAndLeave(url, question, random));
    else stay.push({ answer: ask(url, question), json });
  }
  await Promise.all(leave);
  const answers = await Promise.all(stay.map(({ answer }) => answer));
  expect(answers.map(seen)).toEqual(stay.map(({ json }) => json));
}

// workerd takes a client that closes its connection for one that still reads, as HTTP allows: it hears of a reset only.
const modes: readonly (readonly ['edge' | 'serve', readonly Departure[]])[] = [
  ['edge', ['reset']],
  ['serve', ['reset', 'close']],
];

describe.each(modes)('%s', (mode, departures) => {
  let program: Program;

  beforeAll(async () => {
    program = await startProgram(mode, database.variables);
  });
  afterAll(async () => {
    await program.stop();
  });

  test('answers fifty at once when cold and again when warm, half of them gone before their answer', async () => {
    const random = new Random(20260730);
    for (let round = 0; round < 3; round++) await crowd(program.url, 50, random);
    await database.untilSessions((sessions) => sessions.every(isIdle));
    expect((await database.sessions()).length).toBeLessThanOrEqual(POOL_SIZE);
    expect(program.said()).not.toMatch(/error|lost/i);
  });

  test.each(departures)('cancels what a client no longer waits for (%s)', async (departure) => {
    const question = { method: 'POST', target: '/rpc/sleep', body: '{"nonce":"n"}' };
    const visitors = await Promise.all(Array.from({ length: 3 * POOL_SIZE }, () => visit(program.url, question)));
    for (const visitor of visitors) visitor.send();
    await database.untilSessions((sessions) => busy(sessions) === POOL_SIZE);
    for (const visitor of visitors) visitor.leave(departure);
    await database.untilSessions((sessions) => sessions.every(isIdle));
    await crowd(program.url, 20, new Random(1));
  });

  test('ends in order: what is under way is answered, and nothing stays', async () => {
    await database.sql`select pg_advisory_lock(1)`;
    const answer = ask(program.url, { method: 'POST', target: '/rpc/write_once_locked', body: '{"nonce":"last"}' });
    await database.untilSessions((sessions) => busy(sessions) === 1);
    const stopped = program.stop();
    await database.sql`select pg_advisory_unlock(1)`;
    expect((await answer).status).toBe(204);
    expect(await stopped).toBe(0);
    await database.untilSessions((sessions) => sessions.length === 0);
  });
});
