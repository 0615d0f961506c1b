/** The arguments of the command line: `edgerest [command] [options] [FILE]`. */

const COMMANDS = ['serve', 'pooler', 'edge'] as const;
export type Command = (typeof COMMANDS)[number];

/** What instead of running the command; PostgREST's options. */
const ACTIONS = ['help', 'version', 'example', 'dump-config', 'dump-schema', 'ready'] as const;
export type Action = (typeof ACTIONS)[number];

const SHORT: ReadonlyMap<string, Action> = new Map([
  ['-h', 'help'],
  ['-v', 'version'],
  ['-e', 'example'],
]);

export interface Invocation {
  /** Null where none is named: then there is an action. */
  readonly command: Command | null;
  readonly action: Action | null;
  /** The path of the configuration file. */
  readonly file: string | null;
}

/** The arguments cannot be understood. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

const optionOf = (argument: string): Action | undefined =>
  SHORT.get(argument) ?? ACTIONS.find((action) => argument === `--${action}`);

/** Reads the arguments; under the name `postgrest` they are those of `serve`, as the binary has them. Throws UsageError. */
export function parseArguments(args: readonly string[], program: string): Invocation {
  const given = COMMANDS.find((name) => name === args[0]);
  const command = given ?? (program === 'postgrest' ? 'serve' : null);
  const rest = given === undefined ? args : args.slice(1);
  const end = rest.indexOf('--');
  const options = (end < 0 ? rest : rest.slice(0, end)).filter((argument) => /^-./.test(argument));
  const files = rest.filter((argument, i) => (i < end || end < 0 ? !/^-./.test(argument) : i > end));

  const actions = options.map((option) => {
    const action = optionOf(option);
    if (action === undefined) throw new UsageError(`there is no option ${option}.`);
    return action;
  });
  const [action = null, another] = actions;
  if (another !== undefined) throw new UsageError(`--${action} and --${another} do not go together.`);
  const [file = null, second] = files;
  if (command === null && action === null) {
    if (file === null) throw new UsageError('a command is missing.');
    throw new UsageError(`there is no command ${file}. To serve with it as the configuration: edgerest serve ${file}`);
  }
  if (second !== undefined) throw new UsageError(`there is one configuration file, ${second} is too much.`);
  return { command, action, file };
}
