/** A throw-away certificate for tests of TLS, made here so that they need no openssl. */
import { generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';

export interface Certificate {
  /** PEM. */
  readonly certificate: string;
  /** PEM, PKCS #8. */
  readonly key: string;
}

/** DER: tag, length, content. */
function element(tag: number, ...content: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(content);
  const size = body.length < 0x80 ? [] : body.length < 0x100 ? [0x81] : [0x82, body.length >> 8];
  return Buffer.concat([Buffer.from([tag, ...size, body.length & 0xff]), body]);
}

const sequence = (...content: readonly Uint8Array[]) => element(0x30, ...content);
const oid = (hex: string) => element(0x06, Buffer.from(hex, 'hex'));
const bits = (content: Uint8Array) => element(0x03, Buffer.from([0]), content);
const time = (date: Date) => element(0x18, Buffer.from(`${date.toISOString().replace(/[-:T]/g, '').slice(0, 14)}Z`));

const sha256WithRsa = sequence(oid('2a864886f70d01010b'), element(0x05));
const ecdsaWithSha256 = sequence(oid('2a8648ce3d040302'));

/**
 * A certificate that is its own authority, for a DNS name, valid around now. RSA or ECDSA, signed with SHA-256 (RFC 5280, section 4.1).
 */
export function selfSigned(name: string, algorithm: 'rsa' | 'ecdsa' = 'ecdsa'): Certificate {
  const { publicKey, key } = keyPair(algorithm);
  const signature = algorithm === 'rsa' ? sha256WithRsa : ecdsaWithSha256;
  const subject = sequence(element(0x31, sequence(oid('550403'), element(0x0c, Buffer.from(name)))));
  const day = 86_400_000;
  const validity = sequence(time(new Date(Date.now() - day)), time(new Date(Date.now() + day)));
  const authority = sequence(oid('551d13'), element(0x04, sequence(element(0x01, Buffer.from([0xff])))));
  const names = sequence(oid('551d11'), element(0x04, sequence(element(0x82, Buffer.from(name)))));
  const body = sequence(
    element(0xa0, element(0x02, Buffer.from([2]))),
    element(0x02, Buffer.concat([Buffer.from([1]), randomBytes(8)])),
    signature,
    subject,
    validity,
    subject,
    publicKey,
    element(0xa3, sequence(authority, names)),
  );
  const der = sequence(body, signature, bits(sign('sha256', body, key)));
  const lines = der.toString('base64').replace(/.{1,64}/g, '$&\n');
  return {
    certificate: `-----BEGIN CERTIFICATE-----\n${lines}-----END CERTIFICATE-----\n`,
    key: key.export({ type: 'pkcs8', format: 'pem' }).toString(),
  };
}

function keyPair(algorithm: 'rsa' | 'ecdsa'): { readonly publicKey: Buffer; readonly key: KeyObject } {
  const pair =
    algorithm === 'rsa'
      ? generateKeyPairSync('rsa', { modulusLength: 2048 })
      : generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return { publicKey: pair.publicKey.export({ type: 'spki', format: 'der' }), key: pair.privateKey };
}
