/**
 * The order in which PostgREST walks what it keeps by name. Its maps are Haskell's HashMap, walked by hash, and that
 * order can be seen: in the columns of embeds that have limits, and in which of equally close names is suggested.
 * The hash is XXH3 with 64 bits (https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md), salted for pairs as
 * the hashable package does. Texts of more than 128 bytes, which names cannot be, hash to 0.
 */
import { compareText } from '../../shared/snapshot/order.ts';
import type { QualifiedIdentifier } from '../../shared/sql/identifiers.ts';

type U64 = bigint;

const MASK = (1n << 64n) - 1n;
const MAX_LENGTH = 128;
const DEFAULT_SALT: U64 = 0xcbf29ce484222325n;

/** The words of XXH3's default secret that short inputs use. */
const SECRET: readonly U64[] = [
  0xbe4ba423396cfeb8n,
  0x1cad21f72c81017cn,
  0xdb979083e96dd4den,
  0x1f67b3b7a4a44072n,
  0x78e5c0cc4ee679cbn,
  0x2172ffcc7dd05a82n,
  0x8e2443f7744608b8n,
  0x4c263a81e69035e0n,
  0xcb00c391bb52283cn,
  0xa32e531b8b65d088n,
  0x4ef90da297486471n,
  0xd8acdea946ef1938n,
  0x3f349ce33f76faa8n,
  0x1d4f0bc7c7bbdcf9n,
  0x3159b4cd4be0518an,
  0x647378d9c97e9fc8n,
];

const secret = (word: number): U64 => SECRET[word] ?? 0n;
const rotl = (x: U64, by: bigint): U64 => ((x << by) | (x >> (64n - by))) & MASK;

function fold(a: U64, b: U64): U64 {
  const product = a * b;
  return (product & MASK) ^ (product >> 64n);
}

function swapBytes(x: U64, count: number): U64 {
  let swapped = 0n;
  for (let i = 0; i < count; i++) swapped = (swapped << 8n) | ((x >> BigInt(8 * i)) & 0xffn);
  return swapped;
}

function xorShiftMultiply(x: U64, shift: bigint, factor: U64): U64 {
  return ((x ^ (x >> shift)) * factor) & MASK;
}

function avalanche(x: U64): U64 {
  const mixed = xorShiftMultiply(x, 37n, 0x165667919e3779f9n);
  return mixed ^ (mixed >> 32n);
}

function avalanche64(x: U64): U64 {
  const mixed = xorShiftMultiply(xorShiftMultiply(x, 33n, 0xc2b2ae3d27d4eb4fn), 29n, 0x165667b19e3779f9n);
  return mixed ^ (mixed >> 32n);
}

function upTo3(bytes: DataView, seed: U64): U64 {
  const length = bytes.byteLength;
  if (length === 0) return avalanche64(seed ^ secret(7) ^ secret(8));
  const combined =
    (bytes.getUint8(0) << 16) | (bytes.getUint8(length >> 1) << 24) | bytes.getUint8(length - 1) | (length << 8);
  const low = secret(0) & 0xffffffffn;
  const flip = ((low ^ (secret(0) >> 32n)) + seed) & MASK;
  return avalanche64(BigInt(combined >>> 0) ^ flip);
}

function upTo8(bytes: DataView, seed: U64): U64 {
  const length = bytes.byteLength;
  const seeded = seed ^ (swapBytes(seed & 0xffffffffn, 4) << 32n);
  const flip = ((secret(1) ^ secret(2)) - seeded) & MASK;
  const input = BigInt(bytes.getUint32(length - 4, true)) + (BigInt(bytes.getUint32(0, true)) << 32n);
  let x = input ^ flip;
  x ^= rotl(x, 49n) ^ rotl(x, 24n);
  x = (x * 0x9fb21c651e98df25n) & MASK;
  x ^= (x >> 35n) + BigInt(length);
  x = (x * 0x9fb21c651e98df25n) & MASK;
  return x ^ (x >> 28n);
}

function upTo16(bytes: DataView, seed: U64): U64 {
  const length = bytes.byteLength;
  const low = bytes.getBigUint64(0, true) ^ (((secret(3) ^ secret(4)) + seed) & MASK);
  const high = bytes.getBigUint64(length - 8, true) ^ (((secret(5) ^ secret(6)) - seed) & MASK);
  return avalanche((BigInt(length) + swapBytes(low, 8) + high + fold(low, high)) & MASK);
}

function upTo128(bytes: DataView, seed: U64): U64 {
  const length = bytes.byteLength;
  const mix = (at: number, word: number): U64 =>
    fold(
      bytes.getBigUint64(at, true) ^ ((secret(word) + seed) & MASK),
      bytes.getBigUint64(at + 8, true) ^ ((secret(word + 1) - seed) & MASK),
    );
  let sum = BigInt(length) * 0x9e3779b185ebca87n;
  for (let i = (length - 1) >> 5; i >= 0; i--) sum += mix(16 * i, 4 * i) + mix(length - 16 * (i + 1), 4 * i + 2);
  return avalanche(sum & MASK);
}

const encoder = new TextEncoder();

function xxh3(bytes: Uint8Array, seed: U64): U64 {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.byteLength <= 3) return upTo3(view, seed);
  if (view.byteLength <= 8) return upTo8(view, seed);
  if (view.byteLength <= 16) return upTo16(view, seed);
  return view.byteLength <= MAX_LENGTH ? upTo128(view, seed) : 0n;
}

/** The hash of a text; `seed` is XXH3's. */
export const hashText = (text: string, seed = 0n): U64 => xxh3(encoder.encode(text), seed);

/** A salt and a number to another salt. */
function mix(salt: U64, value: U64): U64 {
  const sum = (swapBytes(value, 8) + salt + fold(salt, value)) & MASK;
  const mixed = xorShiftMultiply(xorShiftMultiply(sum, 33n, 0xff51afd7ed558ccdn), 33n, 0xc4ceb9fe1a85ec53n);
  return mixed ^ (mixed >> 33n);
}

function salted(salt: U64, text: string): U64 {
  const bytes = encoder.encode(text);
  return xxh3(bytes, mix(salt, BigInt(bytes.byteLength)));
}

/** The hash of a qualified name, or of one together with more text. */
export const hashIdentifier = ({ schema, name }: QualifiedIdentifier, ...more: readonly string[]): U64 =>
  [schema, name, ...more].reduce(salted, DEFAULT_SALT);

/** A HashMap is a trie over its keys' hashes: it is walked five bits at a time, from the low end. */
export function compareHashes(a: U64, b: U64): number {
  let [x, y] = [a, b];
  while (x !== y) {
    const difference = Number(x & 31n) - Number(y & 31n);
    if (difference !== 0) return difference;
    x >>= 5n;
    y >>= 5n;
  }
  return 0;
}

/** Items in the order of their keys' hashes. */
export function inHashOrder<T>(items: readonly T[], hash: (item: T) => U64, text: (item: T) => string): readonly T[] {
  return items
    .map((item) => ({ item, hash: hash(item) }))
    .sort((a, b) => compareHashes(a.hash, b.hash) || compareText(text(a.item), text(b.item)))
    .map(({ item }) => item);
}
