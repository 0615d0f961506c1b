/** What is seen of a report: lines of text. */
import type { KeyReport, StatementReport } from '../../admin/report.ts';
import type { Seen } from './seen.ts';

/** One look at the program, and when it was, by performance.now(). */
export interface Look {
  readonly seen: Seen;
  readonly at: number;
}

/** Milliseconds, in three digits or so. */
export function duration(milliseconds: number): string {
  if (milliseconds < 10) return `${milliseconds.toFixed(2)} ms`;
  if (milliseconds < 1000) return `${milliseconds.toFixed(0)} ms`;
  if (milliseconds < 120_000) return `${(milliseconds / 1000).toFixed(1)} s`;
  const minutes = Math.floor(milliseconds / 60_000);
  if (minutes < 120) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

const grouped = (count: number): string => String(Math.round(count)).replace(/\B(?=(\d{3})+$)/g, ',');
const rate = (perSecond: number | null): string => {
  if (perSecond === null) return '-';
  return perSecond < 100 ? perSecond.toFixed(1) : grouped(perSecond);
};

/** Names and texts are the database's and the clients': what would speak to the terminal is left out. */
export const harmless = (text: string): string =>
  text.replace(/\s+/g, ' ').replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '?');

/** The rows of a count, after those of the query. */
const COUNT = / ?\), pgrst_source_count AS \(.*$/s;

/** What of a statement tells it from others: the query itself, without what counts its rows and makes the answer of them. */
export function brief(text: string): string {
  const start = /^(EXPLAIN \([A-Z, ]*\) )?WITH pgrst_source AS \( ?/.exec(text)?.[0].length ?? 0;
  const columns = text.indexOf(' AS total_result_set');
  const end = columns < 0 ? -1 : text.lastIndexOf(') SELECT ', columns);
  const query = end <= start ? text.slice(start) : text.slice(start, end);
  return harmless(query.replace(COUNT, '')).trim();
}

const cut = (line: string, columns: number): string => {
  const characters = [...line];
  return characters.length <= columns ? line : characters.slice(0, columns).join('');
};

/** Cells side by side; `left`: the columns that begin at the same place, the others end there. */
function table(
  heads: readonly string[],
  rows: readonly (readonly string[])[],
  left: ReadonlySet<string>,
): readonly string[] {
  const all = [heads, ...rows];
  const widths = heads.map((_, i) => Math.max(...all.map((row) => [...(row[i] ?? '')].length)));
  const padded = (cell: string, i: number): string => {
    const room = ' '.repeat((widths[i] ?? 0) - [...cell].length);
    return left.has(heads[i] ?? '') ? cell + room : room + cell;
  };
  return all.map((row) => row.map(padded).join('  ').trimEnd());
}

const LEFT = new Set(['KEY', 'ID', 'ROLE', 'STATEMENT']);

/** How much of a counter came in a second since the look before; null where there is none, or the program is another. */
function perSecond(now: Look, before: Look | null, count: (seen: Seen) => number): number | null {
  if (before === null || now.at <= before.at || now.seen.uptime < before.seen.uptime) return null;
  const grown = count(now.seen) - count(before.seen);
  return grown < 0 ? null : (grown / (now.at - before.at)) * 1000;
}

function summaryLines(now: Look, before: Look | null): readonly string[] {
  const { program, uptime, memory, eventLoop, pool, cancelled, connectionsLost, preparedStatements, keys } = now.seen;
  const { hits, misses } = preparedStatements;
  const uses = hits + misses;
  const waitingKeys = keys.filter(({ waiting }) => waiting > 0);
  const oldest = Math.max(0, ...waitingKeys.map((key) => key.oldest));
  const queue = pool.waiting === 0 ? '' : ` of ${waitingKeys.length} key(s), the oldest for ${duration(oldest)}`;
  const refused = pool.refused.map(([reason, count]) => `${reason} ${grouped(count)}`).join(', ');
  const flights = rate(perSecond(now, before, (seen) => seen.pool.flights));
  return [
    `${harmless(program)}, up ${duration(uptime * 1000)}, ${grouped(memory / 1024 / 1024)} MiB, ` +
      `event loop late by ${duration(eventLoop.mean)}, p99 ${duration(eventLoop.p99)}, max ${duration(eventLoop.max)}`,
    `connections ${pool.size}: ${pool.busy} busy, ${pool.resetting} resetting, ${pool.idle} idle, ` +
      `${pool.connecting} connecting, ${pool.closing} closing; ${grouped(connectionsLost)} lost`,
    `waiting ${grouped(pool.waiting)}${queue}`,
    `flights ${grouped(pool.flights)} (${flights}/s), sent again ${grouped(pool.retries)}; ` +
      `cancelled: deadline ${grouped(cancelled.deadline)}, client gone ${grouped(cancelled.clientGone)}; ` +
      `prepared statements ${uses === 0 ? '-' : `${((100 * hits) / uses).toFixed(1)}%`} hits`,
    `refused: ${harmless(refused)}`,
  ];
}

const KEY_HEADS = ['KEY', 'WAITING', 'OLDEST', 'REQUESTS', 'MEAN WAIT', 'P99', 'MAX', 'USED'];

const keyRow = ({ key, waiting, oldest, requests, wait, used }: KeyReport, width: number): readonly string[] => [
  key === '' ? '-' : cut(harmless(key), width),
  grouped(waiting),
  waiting === 0 ? '-' : duration(oldest),
  grouped(requests),
  duration(wait.mean),
  duration(wait.p99),
  duration(wait.max),
  duration(used),
];

const STATEMENT_HEADS = ['ID', 'ROLE', 'CALLS', 'CALLS/s', 'FAILED', 'TOTAL', 'MEAN', 'P99', 'MAX', 'STATEMENT'];

function statementRow(statement: StatementReport, now: Look, before: Look | null, width: number): readonly string[] {
  const { id, role, count, failed, time } = statement;
  const same = (seen: Seen): number => seen.statements.find((s) => s.id === id && s.role === role)?.count ?? 0;
  return [
    harmless(id),
    cut(harmless(role), width),
    grouped(count),
    rate(perSecond(now, before, same)),
    grouped(failed),
    duration(time.total),
    duration(time.mean),
    duration(time.p99),
    duration(time.max),
    brief(statement.text),
  ];
}

/** How many lines there may be, and how long they are. */
export interface Size {
  readonly columns: number;
  readonly rows: number;
}

/**
 * The lines for a look, compared with the one before. Without a size everything there is; else what there is room for: a third
 * of it for the keys, the rest for the statements.
 */
export function linesOf(now: Look, before: Look | null, size: Size | null): readonly string[] {
  const summary = summaryLines(now, before);
  const { keys, statements } = now.seen;
  const room = size === null ? Number.POSITIVE_INFINITY : Math.max(0, size.rows - summary.length - 4);
  const shownKeys = keys.slice(0, Math.max(Math.floor(room / 3), room - statements.length));
  const shownStatements = statements.slice(0, Math.max(0, room - shownKeys.length));
  // On a narrow terminal a long name leaves room for the rest.
  const width = size === null ? Number.POSITIVE_INFINITY : Math.max(8, Math.floor(size.columns / 5));
  const lines = [
    ...summary,
    '',
    ...table(
      KEY_HEADS,
      shownKeys.map((key) => keyRow(key, width)),
      LEFT,
    ),
    '',
    ...table(
      STATEMENT_HEADS,
      shownStatements.map((statement) => statementRow(statement, now, before, width)),
      LEFT,
    ),
  ];
  return size === null ? lines : lines.slice(0, size.rows).map((line) => cut(line, size.columns));
}
