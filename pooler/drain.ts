/** Closing an HTTP server without losing a request that it has accepted. */
import type { Server, ServerResponse } from 'node:http';

/** An answer under way, and where it stands among the others. */
interface Open {
  readonly response: ServerResponse;
  place: number;
}

/** Knows the answers of a server that are under way. */
export class Draining {
  readonly #server: Server;
  /**
   * In no order. Not a Set: V8 copies the table of one that is added to and deleted from, each old table refers to the next
   * one, and once the first has grown old all that follow are kept, with what is in them, until a full collection. That
   * cost a fifth of a request's processor time.
   */
  readonly #open: Open[] = [];
  #stopping = false;

  constructor(server: Server) {
    this.#server = server;
  }

  /** Call it with every response, before anything is written. */
  track(response: ServerResponse): void {
    if (this.#stopping) response.shouldKeepAlive = false;
    const entry: Open = { response, place: this.#open.length };
    this.#open.push(entry);
    response.once('close', () => {
      this.#remove(entry);
      // One whose headers had gone out with keep-alive before: its connection is idle in a moment.
      if (this.#stopping) setImmediate(() => this.#server.closeIdleConnections());
    });
  }

  /** The last one takes its place. */
  #remove(entry: Open): void {
    const last = this.#open.pop();
    if (last === undefined || last === entry) return;
    this.#open[entry.place] = last;
    last.place = entry.place;
  }

  /**
   * Accepts no more connections and resolves when every request has been answered. Answers that have not begun are the last
   * on their connections; after `timeout` milliseconds connections are cut.
   */
  async close(timeout: number): Promise<void> {
    this.#stopping = true;
    for (const { response } of this.#open) response.shouldKeepAlive = false;
    const timer = setTimeout(() => this.#server.closeAllConnections(), timeout);
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeIdleConnections();
    });
    clearTimeout(timer);
  }
}
