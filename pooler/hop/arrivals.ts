/** Knowing when nobody asks any more, so that a server can be closed without anybody noticing. */
import type { Server } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

export class Arrivals {
  #connections = 0;
  #latest = Number.NEGATIVE_INFINITY;

  constructor(server: Server) {
    server.on('connection', (socket) => {
      this.#connections += 1;
      socket.once('close', () => {
        this.#connections -= 1;
      });
    });
  }

  /** A request has come. */
  note(): void {
    this.#latest = performance.now();
  }

  /**
   * Resolves when none has come for `quiet` milliseconds; at once where no connection is open, since then nobody is about to
   * ask, and after `most` milliseconds in any case.
   */
  async untilQuiet(quiet: number, most: number): Promise<void> {
    const began = performance.now();
    for (;;) {
      const now = performance.now();
      const left = Math.min(began + most, Math.max(began, this.#latest) + quiet) - now;
      if (left <= 0 || this.#connections === 0) return;
      await sleep(Math.min(left, POLL));
    }
  }
}

/** Milliseconds: connections may all be closed at any moment. */
const POLL = 50;
