/** Closing an HTTP server without losing a request that it has accepted. */
import type { Server, ServerResponse } from 'node:http';

/** Knows the answers of a server that are under way. */
export class Draining {
  readonly #server: Server;
  readonly #open = new Set<ServerResponse>();
  #stopping = false;

  constructor(server: Server) {
    this.#server = server;
  }

  /** Call it with every response, before anything is written. */
  track(response: ServerResponse): void {
    if (this.#stopping) response.shouldKeepAlive = false;
    this.#open.add(response);
    response.once('close', () => {
      this.#open.delete(response);
      // One whose headers had gone out with keep-alive before: its connection is idle in a moment.
      if (this.#stopping) setImmediate(() => this.#server.closeIdleConnections());
    });
  }

  /**
   * Accepts no more connections and resolves when every request has been answered. Answers that have not begun are the last
   * on their connections; after `timeout` milliseconds connections are cut.
   */
  async close(timeout: number): Promise<void> {
    this.#stopping = true;
    for (const response of this.#open) response.shouldKeepAlive = false;
    const timer = setTimeout(() => this.#server.closeAllConnections(), timeout);
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeIdleConnections();
    });
    clearTimeout(timer);
  }
}
