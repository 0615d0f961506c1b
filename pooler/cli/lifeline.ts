/** Programs that never outlive the one that started them, however that one ends. */

// The shell keeps a watcher on our end of the pipe, then becomes the program: when we end, so does the program.
// $$ in the subshell is the pid of the shell, which is the program's.
const script = (signal: string): string =>
  `exec 3<&0; (cat <&3 >/dev/null; kill -${signal} $$) 2>/dev/null & exec 3<&-; exec "$@" </dev/null`;

/**
 * The command and arguments to spawn, with a pipe as its standard input: closing it, which our end does by itself, sends
 * the program the signal.
 */
export function tied(signal: 'INT' | 'TERM', program: string, args: readonly string[]): [string, string[]] {
  return ['/bin/sh', ['-c', script(signal), 'sh', program, ...args]];
}
