import type { Socket } from 'node:net';
import type { StatementRegistry } from './statements.ts';
import type { Writer } from './writer.ts';

/** Who gets a lent connection's bytes. */
export interface Borrower {
  /** As a TransportListener's. Throws a ProtocolViolation; the connection is then given up. */
  data(chunk: Buffer, length: number): boolean;
  /** The connection is gone, or is being closed, with the reason if it is known. Called once, unless it was given back before. */
  lost(error: Error | null): void;
}

/** The session of a connection that is lent out: its bytes in both directions, and what has been prepared in it. */
export interface Lent {
  /** The server process's own. */
  readonly processId: number;
  readonly socket: Socket;
  /** What the borrower builds its messages in. */
  readonly writer: Writer;
  readonly statements: StatementRegistry;
  /** The server has reported a parameter. */
  reported(name: string, value: string): void;
  /** Reads on after data() has returned false. */
  resume(): void;
  /**
   * Ends the loan. Everything must have been answered, outside of any transaction, and no request to cancel be under way. The connection
   * is then free for flights, or closes where it cannot be used by others.
   */
  giveBack(borrower: Borrower): void;
}
