import { describe, expect, test } from 'vitest';
import { ProtocolViolation } from './messages.ts';
import { MessageScanner, type Onlooker } from './scanner.ts';

function message(type: string, payload: string | number = ''): Buffer {
  const body = typeof payload === 'number' ? Buffer.alloc(payload, 0x61) : Buffer.from(payload);
  const bytes = Buffer.alloc(5 + body.length);
  bytes.write(type);
  bytes.writeInt32BE(4 + body.length, 1);
  body.copy(bytes, 5);
  return bytes;
}

/** Notes what is inspected, swallows what is told, and puts an X behind every T and 2. */
function onlooker(swallowed: string) {
  const seen: string[] = [];
  let insert = false;
  const looker: Onlooker = {
    inspect: (type, bytes, start, end) => {
      const name = String.fromCharCode(type);
      seen.push(`${name}${end - start - 5}`);
      expect(bytes.readInt32BE(start + 1)).toBe(end - start - 1);
      insert = name === '2';
      return !swallowed.includes(name);
    },
    described: () => {
      seen.push('described');
      insert = true;
    },
    insertion: () => {
      if (!insert) return null;
      insert = false;
      return [message('X')];
    },
  };
  return { seen, looker };
}

describe('a scanner', () => {
  const sent = Buffer.concat([
    message('1'),
    message('2'),
    message('T', 'columns'),
    message('D', 300),
    message('D', 0),
    message('C', 'SELECT 2\0'),
    message('E', 200),
    message('Z', 'I'),
  ]);
  const passed = Buffer.concat([
    message('2'),
    message('X'),
    message('T', 'columns'),
    message('X'),
    message('D', 300),
    message('D', 0),
    message('C', 'SELECT 2\0'),
    message('E', 200),
    message('Z', 'I'),
  ]);

  test('passes on what is not swallowed, whatever the chunks', () => {
    for (let size = 1; size <= sent.length; size++) {
      const { seen, looker } = onlooker('1');
      const scanner = new MessageScanner(looker);
      const out: Buffer[] = [];
      const chunk = Buffer.alloc(size);
      for (let at = 0; at < sent.length; at += size) {
        const length = sent.copy(chunk, 0, at, at + size);
        const bytes = scanner.push(chunk, length);
        if (bytes !== null) out.push(Buffer.from(bytes));
        // The chunk is read into again.
        chunk.fill(0);
        expect(scanner.between || at + size < sent.length).toBe(true);
      }
      expect(Buffer.concat(out).equals(passed), `chunks of ${size}`).toBe(true);
      expect(seen).toEqual(['10', '20', 'described', 'C9', 'E200', 'Z1']);
    }
  });

  test('passes on a part of a row before the rest has come', () => {
    const { looker } = onlooker('');
    const scanner = new MessageScanner(looker);
    const row = message('D', 1000);
    expect(scanner.push(row.subarray(0, 100), 100)?.length).toBe(100);
    expect(scanner.between).toBe(false);
    expect(scanner.push(row.subarray(100), row.length - 100)?.length).toBe(row.length - 100);
    expect(scanner.between).toBe(true);
  });

  test('refuses a length that cannot be', () => {
    const scanner = new MessageScanner(onlooker('').looker);
    expect(() => scanner.push(Buffer.from([0x44, 0, 0, 0, 3]), 5)).toThrow(ProtocolViolation);
    expect(() => new MessageScanner(onlooker('').looker).push(Buffer.from([0x44, 0xff, 0, 0, 3]), 5)).toThrow(
      ProtocolViolation,
    );
  });
});
