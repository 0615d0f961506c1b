/** `edgerest top`: what a program is at, seen from its admin server. */
import type { IncomingMessage } from 'node:http';
import { StartError } from '../../start-error.ts';
import { type AdminTarget, adminTarget, askAdmin } from '../admin-target.ts';
import { configure } from '../config.ts';
import { TOP_HELP } from '../help.ts';
import { parseTopArguments, wanted } from './arguments.ts';
import { type Look, linesOf } from './screen.ts';
import { readSeen } from './seen.ts';
import { Terminal } from './terminal.ts';

/** Milliseconds for an answer, and bytes of it. */
const PATIENCE = 5000;
const LONGEST = 16 * 1024 * 1024;

/** Keys, as a terminal in raw mode gives them: the last two are Ctrl-C and Ctrl-D. */
const QUIT: ReadonlySet<string> = new Set(['q', 'Q', '\x03', '\x04']);

/** A look, or in words why there is none. */
type Found = Look | string;

async function textOf(answer: IncomingMessage): Promise<string | null> {
  let text = '';
  try {
    for await (const chunk of answer.setEncoding('utf8')) {
      text += String(chunk);
      if (text.length > LONGEST) return null;
    }
    return text;
  } catch {
    return null;
  }
}

async function look(target: AdminTarget): Promise<Found> {
  const answer = await askAdmin(target, '/top', PATIENCE);
  if (answer === null) return `${target.name} cannot be reached.`;
  const text = await textOf(answer);
  if (answer.statusCode === 503) return `${target.name} is starting.`;
  const seen = answer.statusCode === 200 && text !== null ? readSeen(text) : null;
  if (seen === null) return `${target.name} is not the admin server of an edgerest of this version.`;
  return { seen, at: performance.now() };
}

/** Calls back when somebody wants it to end: by a signal, or with q or Ctrl-C on the keyboard. Gives what undoes it. */
function onQuit(quit: () => void): () => void {
  const { stdin, stdout } = process;
  const typed = (keys: Buffer): void => {
    if ([...keys.toString('latin1')].some((key) => QUIT.has(key))) quit();
  };
  const keyboard = stdin.isTTY === true && stdout.isTTY === true;
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, quit);
  // Who reads what we write has gone.
  stdout.on('error', quit);
  if (keyboard) stdin.setRawMode(true).on('data', typed).resume();
  return () => {
    if (keyboard) stdin.setRawMode(false).off('data', typed).pause();
  };
}

/** Looks again and again until it is told to end. */
async function watch(target: AdminTarget, interval: number): Promise<void> {
  const { stdout } = process;
  const terminal = new Terminal(stdout);
  let before: Look | null = null;
  let now: Look | null = null;
  let trouble: string | null = null;
  let wake: () => void = () => undefined;
  let over = false;
  const draw = (): void => {
    const size = terminal.size;
    const lines = now === null ? [] : linesOf(now, before, size && { ...size, rows: size.rows - 1 });
    const said = trouble === null ? target.name : `${trouble} Trying again.`;
    // What is old is not shown a second time where it cannot be taken for new.
    terminal.show(size === null && trouble !== null ? [said] : [said, ...lines]);
  };
  const undo = onQuit(() => {
    over = true;
    wake();
  });
  stdout.on('resize', draw);
  try {
    while (!over) {
      const found = await look(target);
      if (over) break;
      if (typeof found === 'string') trouble = found;
      else {
        trouble = null;
        before = now;
        now = found;
      }
      draw();
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, interval);
        wake = () => {
          clearTimeout(timer);
          resolve();
        };
        if (over) wake();
      });
    }
  } finally {
    stdout.off('resize', draw);
    terminal.leave();
    undo();
  }
}

/** Runs it with what follows `top`. Throws UsageError and StartError. */
export async function top(args: readonly string[]): Promise<void> {
  const { help, admin, interval, once, file } = parseTopArguments(args);
  if (help) {
    process.stdout.write(TOP_HELP);
    return;
  }
  const target = wanted(admin, admin === null ? adminTarget(configure(file).configuration.current) : null);
  if (!once) {
    await watch(target, interval);
    process.exit(0);
  }
  const found = await look(target);
  if (typeof found === 'string') throw new StartError(found);
  process.stdout.write(`${linesOf(found, null, null).join('\n')}\n`);
}
