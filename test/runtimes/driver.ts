/** An application of the unmodified driver, which says as JSON what it got: over HTTP, and over a WebSocket with a transaction. */
import { neon, neonConfig, Pool } from '@neondatabase/serverless';

const { DATABASE = '', ENDPOINT = '' } = process.env;
neonConfig.fetchEndpoint = `http://${ENDPOINT}/sql`;
neonConfig.wsProxy = `${ENDPOINT}/v2`;
neonConfig.useSecureWebSocket = false;
neonConfig.disableWarningInBrowsers = true;

const codeOf = (error: unknown): unknown => (error instanceof Error && 'code' in error ? error.code : error);

const sql = neon(DATABASE);
const http = {
  row: await sql`select ${7}::int as int, ${'é"\\'}::text as text, ${Buffer.from([0, 255])}::bytea as bytes, ${null}::text as nothing`,
  batch: await sql.transaction([sql`insert into note (text) values (${'by HTTP'})`, sql`select text from note`]),
  error: await sql`select 1 / 0`.catch(codeOf),
};

const pool = new Pool({ connectionString: DATABASE });
const client = await pool.connect();
await client.query('begin');
await client.query('insert into note (text) values ($1)', ['by WebSocket']);
const inside = await client.query('select text from note order by id');
const error = await client.query('select 1 / 0').catch(codeOf);
await client.query('rollback');
await client.query('begin');
await client.query('insert into note (text) values ($1)', ['x'.repeat(300_000)]);
await client.query('commit');
client.release();
const several = await Promise.all([1, 2, 3].map((n) => pool.query('select $1::int as n', [n])));
const after = await pool.query('select left(text, 9) as text, length(text) as length from note order by id');
await pool.end();

const socket = { inside: inside.rows, error, several: several.flatMap(({ rows }) => rows), after: after.rows };
console.log(JSON.stringify({ http, socket }));
