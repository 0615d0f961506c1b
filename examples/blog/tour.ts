/** What `npm start` shows when everything runs: two users' tokens and five requests to try. */

export interface DemoUser {
  readonly name: string;
  readonly email: string;
  readonly password: string;
}

/** The two users of data.sql who have signed up. */
export const demoUsers: readonly DemoUser[] = [
  { name: 'Ada', email: 'ada@example.com', password: 'analytical engine' },
  { name: 'Grace', email: 'grace@example.com', password: 'nanoseconds' },
];

export interface Token {
  readonly user: DemoUser;
  readonly token: string;
}

/** Logs in through the API, as any client would. Throws when the API does not give a token. */
export async function logIn(url: string, user: DemoUser): Promise<Token> {
  const { email, password } = user;
  const response = await fetch(`${url}/rpc/login`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ email, password }),
  });
  const body = await response.text();
  if (response.status !== 200) throw new Error(`logging in as ${email} failed (status ${response.status}): ${body}`);
  const token: unknown = JSON.parse(body);
  if (typeof token !== 'string') throw new Error(`logging in as ${email} gave no token`);
  return { user, token };
}

export interface Example {
  readonly what: string;
  /** A line for a shell. */
  readonly command: string;
}

/** Five requests; each works by itself, in any order, any number of times. */
export function examples(url: string, tokens: readonly Token[]): readonly Example[] {
  const json = "-H 'Content-Type: application/json'";
  const as = (name: string) => `-H 'Authorization: Bearer ${tokens.find(({ user }) => user.name === name)?.token}'`;
  return [
    {
      what: 'Adults who paid, as anybody sees them:',
      command: `curl '${url}/user?age=gte.18&paid=is.true&select=name,last_name,age&order=id&limit=3'`,
    },
    {
      what: 'Users with their published posts:',
      command: `curl '${url}/user?select=last_name,post(title)&order=id&limit=3'`,
    },
    {
      what: 'A function:',
      command: `curl '${url}/rpc/add_them' ${json} -d '{"a":1,"b":2}'`,
    },
    {
      what: 'Ada writes a post that is not published yet:',
      command: `curl '${url}/post' ${as('Ada')} ${json} -H 'Prefer: return=representation' -d '{"title":"A draft"}'`,
    },
    {
      what: 'Grace asks for all drafts and gets her own only (row-level security):',
      command: `curl '${url}/post?published=is.false&select=owner,title' ${as('Grace')}`,
    },
  ];
}

/** Where PostgreSQL is, to say so. */
export interface Place {
  readonly dataDir: string;
  readonly databasePort: number;
  /** Whether the blog was loaded just now. */
  readonly loaded: boolean;
}

/** The whole text. */
export function tour(url: string, tokens: readonly Token[], place: Place): string {
  const state = place.loaded ? 'new' : 'kept from an earlier run; npm start -- --fresh begins anew';
  return [
    '',
    `  ${url}`,
    '',
    `The database (${state}) is in ${place.dataDir}, on port ${place.databasePort}.`,
    '',
    'Tokens, good for 8 hours:',
    ...tokens.flatMap(({ user, token }) => ['', `${user.name} (${user.email}, password "${user.password}")`, token]),
    '',
    'Lines to try:',
    ...examples(url, tokens).flatMap(({ what, command }) => ['', what, command]),
    '',
    'Ctrl-C stops everything.',
  ].join('\n');
}
