import type { Traces } from './words.ts';
import { anyTraces, tracesOf } from './words.ts';

/** Names with a dot of which a session may set; more are followed no longer. */
const customLimit = 100;

/** What a session may have left on the connection it holds, since it was last looked at: by its texts, and by what the server said. */
export class Trail {
  /** Something was done that was no plain read. */
  touched = false;
  state = false;
  locks = false;
  prepared = false;
  settings = false;
  unnamed = false;
  /** Settings with a dot in their names, all that the session has ever named. */
  readonly custom = new Set<string>();

  /** A text that was sent to be executed. Returns what it may leave. */
  text(text: string): Traces {
    const traces = tracesOf(text);
    this.traces(traces);
    return traces;
  }

  traces(traces: Traces): void {
    if (!traces.plain) this.touched = true;
    if (traces.state) this.state = true;
    if (traces.locks) this.locks = true;
    if (traces.prepared) this.prepared = true;
    if (traces.settings) this.settings = true;
    if (traces.unnamed) this.unnamed = true;
    for (const name of traces.custom) this.custom.add(name);
    if (this.custom.size > customLimit) this.unnamed = true;
  }

  /** The settings that there are: of those with a dot in their names, these are looked for the next time. */
  named(names: Iterable<string>): void {
    this.custom.clear();
    for (const name of names) if (name.includes('.')) this.custom.add(name);
  }

  /** A function was called by its number. */
  call(): void {
    this.traces(anyTraces);
  }

  /** The tag of a command that has been completed. */
  tag(tag: string): void {
    switch (tag) {
      case 'SET':
      case 'RESET':
      case 'SET SESSION AUTHORIZATION':
      case 'DISCARD ALL':
        this.settings = true;
        return;
      case 'PREPARE':
        this.state = true;
        this.prepared = true;
    }
  }

  /** It was looked at, and what is there is still there. */
  seen(): void {
    this.touched = false;
  }

  /** It was looked at and nothing was left. */
  clear(): void {
    this.touched = false;
    this.state = false;
    this.locks = false;
    this.prepared = false;
    this.settings = false;
    this.unnamed = false;
  }
}
