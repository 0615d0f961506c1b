import { describe, expect, it } from 'vitest';
import { compareHashes, hashIdentifier, hashText, inHashOrder } from './hash-order.ts';

describe('XXH3 of a text', () => {
  // From the reference implementation (xxhash 0.8).
  it.each([
    ['a', 0n, 0xe6c632b61e964e1fn],
    ['abc', 0n, 0x78af5f94892f3950n],
    ['limit', 0n, 0x5a615d8c6a06f630n],
    ['tasks.limit', 0n, 0x1197d3a92bd83523n],
    ['clients.projects.limit', 0n, 0x6bb1dbce411bc2abn],
    ['x'.repeat(128), 0n, 0x4ca37e83f6cddd17n],
    ['', 0xcbf29ce484222325n, 0x8854fa7f2b3a365dn],
    ['abc', 0xcbf29ce484222325n, 0x297e7db54428e080n],
    ['items', 0xcbf29ce484222325n, 0xe6a6f4d1984bdadbn],
    ['a longer text than sixteen', 0xcbf29ce484222325n, 0x76f8696208f87809n],
    ['sixteen bytes 16', 0xcbf29ce484222325n, 0xb0b46aaab413dd2dn],
  ])('%s with the seed %d', (text, seed, hash) => {
    expect(hashText(text, seed)).toBe(hash);
  });
});

describe('the order of hashes', () => {
  it('is that of their low bits, five at a time', () => {
    expect(compareHashes(0x01n, 0x20n)).toBeGreaterThan(0);
    expect(compareHashes(0x21n, 0x41n)).toBeLessThan(0);
    expect(compareHashes(0x21n, 0x21n)).toBe(0);
  });

  it('orders items by their own', () => {
    const names = ['limit', 'tasks.limit', 'clients.projects.limit', 'projects.limit'];
    const ordered = inHashOrder(
      names,
      (name) => hashText(name),
      (name) => name,
    );
    expect(ordered).toEqual(['tasks.limit', 'clients.projects.limit', 'limit', 'projects.limit']);
  });

  it('salts the parts of a qualified name one after the other', () => {
    const [a, b] = [hashIdentifier({ schema: 'a', name: 'b' }), hashIdentifier({ schema: 'b', name: 'a' })];
    expect(a).not.toBe(b);
    expect(hashIdentifier({ schema: 'a', name: 'b' }, 'c')).not.toBe(a);
  });
});
