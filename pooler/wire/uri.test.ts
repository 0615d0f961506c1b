import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import { ConnectionStringError, parseConnectionString } from './uri.ts';

const parse = (text: string, environment: Record<string, string> = {}) => parseConnectionString(text, environment);
const tcp = (host: string, port = 5432, address: string | null = null) => ({ kind: 'tcp', host, port, address });

test('a URI with everything', () => {
  const config = parse(
    'postgresql://us%20er:p%40ss:wo%2Frd@one.example:6000,[::1],two/data%20base?sslmode=verify-full&sslrootcert=/etc/ca.pem' +
      '&connect_timeout=3&application_name=a%20b&options=-c%20statement_timeout%3D5s&target_session_attrs=read-write&keepalives=1',
  );
  expect(config).toMatchObject({
    endpoints: [tcp('one.example', 6000), tcp('::1'), tcp('two')],
    user: 'us er',
    database: 'data base',
    connectTimeout: 3000,
    applicationName: 'a b',
    options: '-c statement_timeout=5s',
    targetSession: 'read-write',
    tls: { mode: 'verify-full', rootCertificate: '/etc/ca.pem', channelBinding: 'prefer', minimumVersion: 'TLSv1.2' },
  });
  expect(config.password?.reveal()).toBe('p@ss:wo/rd');
});

test('key=value pairs with quotes and backslashes', () => {
  const config = parse(
    String.raw`host = 'a b' user=me password='it\'s \\ secret' dbname=x\ y  port=1 hostaddr=10.0.0.1`,
  );
  expect(config).toMatchObject({ endpoints: [tcp('a b', 1, '10.0.0.1')], user: 'me', database: 'x y' });
  expect(config.password?.reveal()).toBe("it's \\ secret");
});

test('sockets, by host or by percent-encoded authority', () => {
  const socket = { kind: 'unix', path: '/run/pg/.s.PGSQL.7' };
  expect(parse('host=/run/pg port=7').endpoints).toEqual([socket]);
  expect(parse('postgres://%2Frun%2Fpg:7/db').endpoints).toEqual([socket]);
  expect(parse('postgres:///db?host=/run/pg&port=7').endpoints).toEqual([socket]);
});

test('what is not said comes from the environment, then from defaults', () => {
  const environment = { PGHOST: 'h', PGPORT: '7', PGUSER: 'u', PGPASSWORD: 'w', PGSSLMODE: 'disable', PGAPPNAME: 'n' };
  expect(parse('', environment)).toMatchObject({
    endpoints: [tcp('h', 7)],
    user: 'u',
    database: 'u',
    applicationName: 'n',
    tls: { mode: 'disable' },
  });
  expect(parse('postgres://x@y/z', environment)).toMatchObject({ endpoints: [tcp('y', 7)], user: 'x', database: 'z' });
  expect(parse('postgres://x@y/z')).toMatchObject({ connectTimeout: 0, tls: { mode: 'prefer' }, targetSession: 'any' });
  expect(parse('host=h user=u sslrootcert=system').tls.mode).toBe('verify-full');
});

test('the password shows itself nowhere', () => {
  const config = parse('postgres://u:hunter2@h/d');
  const shown = [inspect(config, { depth: 9, showHidden: true }), JSON.stringify(config), `${config.password}`];
  expect(shown.join()).not.toContain('hunter2');
});

describe('what is wrong is named, its value is not', () => {
  test.each([
    [
      'postgres://u:hunter2@h/d?sslmode=hunter2',
      'sslmode must be one of disable, allow, prefer, require, verify-ca, verify-full',
    ],
    ['postgres://u@h:hunter2/d', 'port must be a number from 1 to 65535'],
    ['postgres://u@h:70000/d', 'port must be a number from 1 to 65535'],
    ['postgres://u:hunter2%zz@h/d', "the connection URI's password is not percent-encoded correctly"],
    ['postgres://u:hunter2@h/d?nonsense=1', 'the connection parameter "nonsense" is not supported'],
    ['postgres://u:hunter2@h/d?sslmode', 'a parameter of the connection URI has no value'],
    ['postgres://u@h:1,i:2,j:3/d?host=a,b', 'port and host name different numbers of hosts'],
    ['host=a,b hostaddr=10.0.0.1', 'host and hostaddr name different numbers of hosts'],
    ["password='hunter2", 'the connection string is neither a URI nor key=value pairs'],
    ['mysql://hunter2', 'the connection string is neither a URI nor key=value pairs'],
    ['host=h sslrootcert=system sslmode=require', 'sslrootcert=system wants sslmode=verify-full'],
  ])('%s', (text, message) => {
    expect(() => parse(text)).toThrow(new ConnectionStringError(message));
  });
});
