/**
 * `npm start`: the blog behind the edge, on this machine. The work is in run.ts; this file imports nothing that an incomplete
 * installation lacks, so that it can say so in one line.
 */
import { parseArgs } from 'node:util';

const usage = `npm start [-- --fresh] [-- --help]

Starts PostgreSQL 18 with the blog in it (its data stays in .data/blog), a pooler and the worker in workerd, and waits for Ctrl-C.

  --fresh      throw the data away and begin anew
  --data DIR   keep the data there instead
  --help       this text

  PGRST_SERVER_PORT, PGRST_SERVER_HOST   where the API listens: 8787 on 127.0.0.1 unless set
  PGRST_DB_URI                           serve this database with the given PGRST_* variables instead: nothing is loaded into
                                         it, and no PostgreSQL is started

Other PGRST_* and EDGEREST_* variables count as they do for \`edgerest edge\`.`;

/** The exit status. */
async function main(): Promise<number> {
  const { fresh, data, help } = options();
  if (help) {
    console.log(usage);
    return 0;
  }
  const { runBlog } = await import('./run.ts');
  return runBlog({ fresh, data });
}

function options(): { fresh: boolean; data: string | undefined; help: boolean } {
  const { values } = parseArgs({
    options: { fresh: { type: 'boolean' }, data: { type: 'string' }, help: { type: 'boolean', short: 'h' } },
  });
  return { fresh: values.fresh === true, data: values.data, help: values.help === true };
}

/** One line that says what to do. */
function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code: unknown = Reflect.get(error, 'code');
  if (code === 'ERR_MODULE_NOT_FOUND') {
    const missing = /package '([^']+)'/.exec(error.message)?.[1];
    return `${missing === undefined ? 'a file' : `the package ${missing}`} is missing: run \`npm ci\` and start again`;
  }
  if (typeof code === 'string' && code.startsWith('ERR_PARSE_ARGS'))
    return `${error.message} (see npm start -- --help)`;
  return error.message;
}

main().then(
  (status) => {
    process.exitCode = status;
  },
  (error: unknown) => {
    console.error(`\nedgerest: ${explain(error)}`);
    process.exitCode = 1;
  },
);
