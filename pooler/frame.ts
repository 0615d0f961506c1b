const binary = 0x82;

/**
 * A server's message of bytes as one frame of a WebSocket (RFC 6455, section 5.2): head and data in one piece of memory. What `ws` sends is two,
 * and a write that the kernel gathers costs more than copying what is small.
 */
export function binaryFrame(data: Uint8Array): Buffer {
  const { length } = data;
  const head = length < 126 ? 2 : length < 65_536 ? 4 : 10;
  const frame = Buffer.allocUnsafe(head + length);
  frame[0] = binary;
  if (head === 2) frame[1] = length;
  else if (head === 4) {
    frame[1] = 126;
    frame.writeUInt16BE(length, 2);
  } else {
    frame[1] = 127;
    frame.writeBigUInt64BE(BigInt(length), 2);
  }
  frame.set(data, head);
  return frame;
}
