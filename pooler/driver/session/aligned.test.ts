/** Random messages, sent to the door and to PostgreSQL itself: the answers are the same, message by message. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Random } from '../../../test/faults/random.ts';
import { type Connection, connect, type Lent, parseConnectionString } from '../../wire/index.ts';
import { type Door, openDoor } from './door.fixture.ts';
import {
  bind,
  closeStatement,
  cstring,
  describeStatement,
  execute,
  fieldsOf,
  type Message,
  message,
  messagesOf,
  parse,
  query,
  RawClient,
  sync,
  valuesOf,
} from './raw.fixture.ts';

const ROUNDS = Number(process.env.EDGEREST_ALIGNED_ROUNDS ?? 200);
const LIMIT = 30_000 + ROUNDS * 200;

let door: Door;
beforeAll(async () => {
  door = await openDoor({
    size: 2,
    script: 'create table app.kept (n int unique deferrable initially deferred); alter table app.kept owner to USER;',
  });
});
afterAll(async () => {
  expect(door.faults).toEqual([]);
  await door.close();
});

const texts = [
  'select 1',
  'select $1::int + 1',
  'select n from kept',
  'insert into kept values (1)',
  'insert into kept select 2 from generate_series(1, 2)',
  'commit',
  'rollback',
  'wrong',
  'select 1 / 0',
  '',
  'copy (select 3) to stdout',
] as const;
const names = ['', 'a', 'b', 'c'] as const;

/** Under a name that nothing else uses. */
const copy = [closeStatement('copy'), parse('copy', 'copy kept from stdin'), bind('copy'), execute];

function randomMessages(random: Random): readonly Buffer[] {
  const one = <T>(all: readonly T[]): T => {
    const found = all[random.below(all.length)];
    if (found === undefined) throw new Error('nothing to choose from');
    return found;
  };
  const name = () => one(names);
  const endOfCopy = () => (random.chance(0.7) ? message('c') : message('f', cstring('')));
  const kinds: readonly (() => readonly Buffer[])[] = [
    () => [parse(name(), one(texts))],
    () => [parse(name(), one(texts))],
    () => [bind(name(), ...(random.chance(0.3) ? [one(['1', 'x'])] : []))],
    () => [bind(name()), execute],
    () => [bind(name()), message('D', Buffer.from('P'), cstring('')), execute],
    () => [describeStatement(name())],
    () => [closeStatement(name())],
    () => [execute],
    () => [sync],
    () => [message('H')],
    () => [query(one(texts))],
    () => [query(`${one(texts)}; ${one(texts)}`)],
    () => [message('d', Buffer.from('7\n')), endOfCopy()],
    // In the middle of a copy PostgreSQL ends a session that sends anything else.
    () => [query('copy kept from stdin; select 4'), message('d', Buffer.from('7\n')), endOfCopy()],
    () => [...copy, sync, message('d', Buffer.from('8\n')), endOfCopy(), sync],
    () => [...copy, message('d', Buffer.from('x\n')), endOfCopy(), sync],
    () => [sync, query('deallocate b')],
    () => [sync, query('deallocate all')],
    () => [closeStatement('d'), parse('d', 'deallocate all'), bind('d'), execute, sync],
  ];
  return Array.from({ length: 1 + random.below(10) }, () => one(kinds)()).flat();
}

/** What the two have to agree on. */
const essence = (messages: readonly Message[]): readonly string[] =>
  messages.flatMap((each) => {
    switch (each.type) {
      case 'S':
      case 'N':
      case 'A':
        return [];
      case 'E':
        return [`E ${fieldsOf(each).C}`];
      case 'D':
        return [`D ${valuesOf(each)}`];
      case 'Z':
      case 'C':
        return [`${each.type} ${each.payload}`];
      default:
        return [each.type];
    }
  });

/** PostgreSQL itself, logged in as the same user. */
class Direct {
  readonly #lent: Lent;
  #bytes: Buffer = Buffer.alloc(0);
  #wake = (): void => undefined;

  constructor(connection: Connection) {
    let lent: Lent | null = null;
    connection.lend((given) => {
      lent = given;
      return {
        data: (chunk, length) => {
          this.#bytes = Buffer.concat([this.#bytes, chunk.subarray(0, length)]);
          this.#wake();
          return true;
        },
        lost: () => undefined,
      };
    });
    if (lent === null) throw new Error('not lent');
    this.#lent = lent;
  }

  /** Sends, and gives everything up to the answer to a query that marks the end. */
  async ask(messages: readonly Buffer[]): Promise<readonly Message[]> {
    this.#lent.socket.write(Buffer.concat([...messages, ...ending]));
    for (;;) {
      const found = upToEnd(messagesOf(this.#bytes));
      if (found !== null) {
        this.#bytes = Buffer.alloc(0);
        return found;
      }
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      await promise;
    }
  }
}

/** Ends a copy that waits for data, the batch, and the transaction; then says that it is over. */
const ending = [message('f', cstring('over')), sync, query('rollback'), query("select 'the end'")];

function upToEnd(messages: readonly Message[]): readonly Message[] | null {
  const at = messages.findIndex((each) => each.type === 'D' && each.payload.toString().endsWith('the end'));
  return at >= 0 && messages.slice(at).some(({ type }) => type === 'Z') ? messages.slice(0, at) : null;
}

async function throughDoor(client: RawClient, messages: readonly Buffer[]): Promise<readonly Message[]> {
  client.send(...messages, ...ending);
  const all: Message[] = [];
  for (;;) {
    all.push(...(await client.until('Z')));
    const found = upToEnd(all);
    if (found !== null) return found;
  }
}

test('answers are those of PostgreSQL', { timeout: LIMIT }, async () => {
  const seed = Number(process.env.EDGEREST_ALIGNED_SEED ?? Math.floor(Math.random() * 2 ** 31));
  const random = new Random(seed);
  const connection = await connect(parseConnectionString(door.uri));
  const direct = new Direct(connection);
  const who = { user: door.user, database: door.database.name };
  const client = await RawClient.login(door.port, who, door.password);
  for (let round = 0; round < ROUNDS; round++) {
    const messages = randomMessages(random);
    // Both begin with the same table and, now and then, on another connection.
    await door.query('truncate kept');
    const expected = essence(await direct.ask(messages));
    await door.query('truncate kept');
    const found = essence(await throughDoor(client, messages));
    const sent = messages.map((each) => each.toString().replace(/[^ -~]+/g, ' ')).join(' | ');
    expect(found, `seed ${seed}, round ${round}: ${sent}`).toEqual(expected);
    if (random.chance(0.1)) await Promise.all([door.query('select pg_sleep(0.002)'), door.query('select 1')]);
  }
  client.socket.close();
  await connection.close();
});
