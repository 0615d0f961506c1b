/** What is measured: each load as a request to the API, and as the bare statements that the floor runs for it. */
import { signedToken } from '../token.ts';

/** Connections to the database, of the floor and of the server alike. */
export const POOL = 8;
/** HTTP clients. */
export const CLIENTS = 16;

export const LOADS = ['one-row', 'embed', '100-rows', 'insert', 'rpc'] as const;
export type LoadName = (typeof LOADS)[number];

export interface Load {
  readonly sql: string;
  readonly parameters: readonly string[];
  readonly method: 'GET' | 'POST';
  readonly target: string;
  /** JSON; '' for none. */
  readonly body: string;
  /**
   * PostgREST 16.2's rate as a share of the floor's. Measured elsewhere, on another machine with another program for the floor:
   * for comparison, not for conclusions.
   */
  readonly postgrest: number;
}

/** Who asks: a role that is not the anonymous one, so that every request has a token to verify and a role to switch to. */
const CLAIMS = { role: 'bench_alice', sub: '42', exp: 4102444800 } as const;

/** The login of the bench's schema. */
export const LOGIN = { user: 'bench_login', password: 'bench' } as const;
export const ANONYMOUS = 'bench_anon';
export const JWT_SECRET = 'a secret of the bench, of 32 bytes at least';

/** A bearer token with CLAIMS, HS256. */
export const benchToken = (): string => signedToken(CLAIMS, JWT_SECRET);

const SETTINGS = [
  'search_path',
  'role',
  ...['jwt.claims', 'method', 'path', 'headers', 'cookies'].map((s) => `request.${s}`),
];

/** The statement that goes before each load's own: role and settings, for one transaction. */
export const settings = {
  sql: `select ${SETTINGS.map((name, i) => `pg_catalog.set_config('${name}', $${i + 1}, true)`).join(', ')}`,
  parameters: [
    '"api", "public"',
    CLAIMS.role,
    JSON.stringify(CLAIMS),
    'GET',
    '/users',
    JSON.stringify({ host: 'localhost', 'user-agent': 'bench' }),
    '{}',
  ],
} as const;

/** A setting that a function may have left for the response. */
const left = (name: string): string => `nullif(current_setting('${name}', true), '')`;

const rowsOf = (query: string): string =>
  `with source as (${query}) select null::bigint, count(_row), coalesce(json_agg(_row), '[]'), ` +
  `${left('response.headers')}, ${left('response.status')} from (select * from source) _row`;

export const loads: Readonly<Record<LoadName, Load>> = {
  'one-row': {
    sql: rowsOf('select id, name, age from api.users where id = $1'),
    parameters: ['5'],
    method: 'GET',
    target: '/users?id=eq.5&select=id,name,age',
    body: '',
    postgrest: 0.079,
  },
  embed: {
    sql: rowsOf(
      "select u.name, coalesce(posts.list, '[]') as post from api.users u left join lateral " +
        '(select json_agg(p)::jsonb as list from (select title from api.post where user_id = u.id) p) posts on true where u.id = $1',
    ),
    parameters: ['5'],
    method: 'GET',
    target: '/users?id=eq.5&select=name,post(title)',
    body: '',
    postgrest: 0.117,
  },
  '100-rows': {
    sql: rowsOf('select * from api.post limit $1'),
    parameters: ['100'],
    method: 'GET',
    target: '/post?limit=100',
    body: '',
    postgrest: 0.288,
  },
  insert: {
    sql:
      'with source as (insert into api.note (body) select body from json_to_record($1) as _ (body text) returning 1) ' +
      `select '', (select count(*) from source), ${left('response.headers')}`,
    parameters: ['{"body":"hello"}'],
    method: 'POST',
    target: '/note',
    body: '{"body":"hello"}',
    postgrest: 0.215,
  },
  rpc: {
    sql:
      'with source as (select api.add_them(a => a, b => b) as result from json_to_record($1) as _ (a int, b int)) ' +
      `select null::bigint, 1, to_json(result), ${left('response.headers')} from source`,
    parameters: ['{"a":1,"b":2}'],
    method: 'POST',
    target: '/rpc/add_them',
    body: '{"a":1,"b":2}',
    postgrest: 0.086,
  },
};
