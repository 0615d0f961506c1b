import { createHash } from 'node:crypto';

/** Signature algorithms by the DER of their OID, and the hash that they use. */
const hashes: Readonly<Record<string, string>> = {
  '2a864886f70d010105': 'sha1', // sha1WithRSAEncryption
  '2a864886f70d01010b': 'sha256',
  '2a864886f70d01010c': 'sha384',
  '2a864886f70d01010d': 'sha512',
  '2a8648ce3d040302': 'sha256', // ecdsa-with-SHA256
  '2a8648ce3d040303': 'sha384',
  '2a8648ce3d040304': 'sha512',
};

/**
 * The hash of a certificate (DER) for tls-server-end-point: by the algorithm of its signature, SHA-256 in place of MD5 and SHA-1 (RFC 5929,
 * section 4.1). Null where the signature has no single hash (Ed25519, RSA-PSS): then there is no such binding.
 */
export function endPointHash(certificate: Uint8Array): Buffer | null {
  const algorithm = signatureAlgorithm(Buffer.from(certificate.buffer, certificate.byteOffset, certificate.byteLength));
  const hash = algorithm === null ? undefined : hashes[algorithm];
  if (hash === undefined) return null;
  return createHash(hash === 'sha1' ? 'sha256' : hash)
    .update(certificate)
    .digest();
}

/** Certificate ::= SEQUENCE { tbsCertificate SEQUENCE, signatureAlgorithm SEQUENCE { algorithm OBJECT IDENTIFIER, … }, … } */
function signatureAlgorithm(der: Buffer): string | null {
  const certificate = element(der, 0);
  const body = certificate && element(der, certificate.start);
  const algorithm = body && element(der, body.end);
  const oid = algorithm && element(der, algorithm.start);
  return oid ? der.toString('hex', oid.start, oid.end) : null;
}

/** Where the content of the DER element at the position begins and ends. */
function element(der: Buffer, position: number): { readonly start: number; readonly end: number } | null {
  const first = der[position + 1];
  if (first === undefined) return null;
  const size = first < 0x80 ? 0 : first & 0x7f;
  const start = position + 2 + size;
  if (size > 4 || start > der.length) return null;
  const length = size === 0 ? first : der.readUIntBE(position + 2, size);
  return start + length > der.length ? null : { start, end: start + length };
}
