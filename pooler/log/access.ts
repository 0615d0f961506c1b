/** Standard output, for the access log: the lines of a turn of the event loop go in one write. */

/** Characters that are not kept waiting for the turn's end. */
const AT_MOST = 64 * 1024;

/** Makes a writer of lines. What is still waiting when the process ends is written then. */
export function accessWriter(
  write: (text: string) => void = (text) => process.stdout.write(text),
): (line: string) => void {
  let waiting = '';
  const flush = (): void => {
    if (waiting === '') return;
    const text = waiting;
    waiting = '';
    write(text);
  };
  process.on('exit', flush);
  return (line) => {
    if (waiting === '') setImmediate(flush);
    waiting += `${line}\n`;
    if (waiting.length > AT_MOST) flush();
  };
}
