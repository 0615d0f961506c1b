/** The client's end of a session, as bytes. */
export interface Peer {
  /** The bytes may be overwritten afterwards. */
  send(bytes: Buffer): void;
  /** Bytes that the client has not taken. */
  readonly buffered: number;
  /** Stops and goes on reading what the client sends. */
  pause(): void;
  resume(): void;
  /** Ends it after what was sent. */
  close(): void;
}
