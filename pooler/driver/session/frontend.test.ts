import { describe, expect, test } from 'vitest';
import { ProtocolViolation } from '../../wire/index.ts';
import { FrontendReader, MessageTooLarge } from './frontend.ts';

function message(type: string, size: number): Buffer {
  const bytes = Buffer.alloc(5 + size, type);
  bytes.writeInt32BE(4 + size, 1);
  return bytes;
}

const startup = (length: number): Buffer => {
  const bytes = Buffer.alloc(length, 1);
  bytes.writeInt32BE(length, 0);
  return bytes;
};

describe('what a client sends', () => {
  test('is cut into messages, whatever the frames', () => {
    const messages = [message('Q', 30), message('S', 0), message('P', 500), message('S', 0)];
    const sent = Buffer.concat([startup(20), message('p', 9), ...messages]);
    for (let size = 1; size <= sent.length; size += 7) {
      const reader = new FrontendReader(1000);
      const found: Buffer[] = [];
      let greeted = false;
      let known = false;
      for (let at = 0; at < sent.length; at += size) {
        reader.push(sent.subarray(at, at + size));
        if (!greeted) greeted = reader.startup() !== null;
        if (greeted && !known) known = reader.password() !== null;
        if (!known) continue;
        for (let next = reader.next(); next !== null; next = reader.next()) found.push(next.bytes);
      }
      expect(found.map((bytes) => bytes.length)).toEqual(messages.map((bytes) => bytes.length));
      expect(Buffer.concat(found).equals(Buffer.concat(messages))).toBe(true);
      expect(reader.available).toBe(0);
    }
  });

  test('may not be too long', () => {
    const late = new FrontendReader(1000);
    late.push(message('Q', 2000).subarray(0, 5));
    expect(() => late.next()).toThrow(MessageTooLarge);
    const early = new FrontendReader(1_000_000);
    early.push(message('p', 70_000).subarray(0, 5));
    expect(() => early.password()).toThrow(MessageTooLarge);
    const stranger = new FrontendReader(1_000_000);
    stranger.push(startup(10_001).subarray(0, 8));
    expect(() => stranger.startup()).toThrow(ProtocolViolation);
    const broken = new FrontendReader(1000);
    broken.push(Buffer.from([0x51, 0, 0, 0, 3]));
    expect(() => broken.next()).toThrow(ProtocolViolation);
  });
});
