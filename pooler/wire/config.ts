import type { ChannelBindingPolicy } from './auth.ts';
import type { Secret } from './secret.ts';

/** Where a server listens. */
export type Endpoint =
  | {
      readonly kind: 'tcp';
      /** The name: what a certificate is checked against. */
      readonly host: string;
      /** The address to connect to, where it is given apart from the name. */
      readonly address: string | null;
      readonly port: number;
    }
  | { readonly kind: 'unix'; readonly path: string };

export type SslMode = 'disable' | 'allow' | 'prefer' | 'require' | 'verify-ca' | 'verify-full';

export type TargetSession = 'any' | 'read-write' | 'read-only' | 'primary' | 'standby' | 'prefer-standby';

export type TlsConfig = {
  readonly mode: SslMode;
  /** A file of trusted certificates, `system` for those that Node brings along, null for none. */
  readonly rootCertificate: string | null;
  /** Files of the client's own certificate and key. */
  readonly certificate: string | null;
  readonly key: string | null;
  readonly minimumVersion: 'TLSv1.2' | 'TLSv1.3';
  readonly channelBinding: ChannelBindingPolicy;
};

/** Everything needed to log in. The password shows itself nowhere. */
export type ConnectionConfig = {
  /** Tried in order. */
  readonly endpoints: readonly Endpoint[];
  readonly user: string;
  readonly password: Secret | null;
  /** Refuses a server that lets us in without having asked for the password: then nobody has checked it. */
  readonly passwordChecked?: boolean;
  readonly database: string;
  readonly tls: TlsConfig;
  /** Milliseconds until a server that is not ready is given up; 0 for never. */
  readonly connectTimeout: number;
  readonly applicationName: string | null;
  /** Command-line options for the session, such as `-c statement_timeout=5s`. */
  readonly options: string | null;
  readonly targetSession: TargetSession;
};
