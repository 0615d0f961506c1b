/** Where the lines go: a terminal, of which a whole screen is drawn again and again, or anything else, which gets one after the other. */
import type { Size } from './screen.ts';

/** What is needed of an output stream. */
export interface Output {
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
  write(text: string): unknown;
}

// ECMA-48 and xterm's private modes: the alternate screen, the cursor, wrapping of long lines.
const ENTER = '\x1b[?1049h\x1b[?25l\x1b[?7l';
const LEAVE = '\x1b[?7h\x1b[?25h\x1b[?1049l';
const HOME = '\x1b[H';
const REST_OF_LINE = '\x1b[K';
const REST_OF_SCREEN = '\x1b[J';

export class Terminal {
  readonly #output: Output;
  #entered = false;

  constructor(output: Output) {
    this.#output = output;
  }

  /** Null where there is room for everything. */
  get size(): Size | null {
    const { isTTY, columns = 80, rows = 24 } = this.#output;
    return isTTY === true ? { columns, rows } : null;
  }

  /** Shows these lines in place of those before, or after them. */
  show(lines: readonly string[]): void {
    if (this.size === null) {
      this.#output.write(`${lines.join('\n')}\n\n`);
      return;
    }
    const enter = this.#entered ? '' : ENTER;
    this.#entered = true;
    this.#output.write(`${enter}${HOME}${lines.join(`${REST_OF_LINE}\r\n`)}${REST_OF_LINE}${REST_OF_SCREEN}`);
  }

  /** Leaves the terminal as it was. */
  leave(): void {
    if (this.#entered) this.#output.write(LEAVE);
    this.#entered = false;
  }
}
