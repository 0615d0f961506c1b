import { describe, expect, test } from 'vitest';
import { parseConnectionString } from '../wire/index.ts';
import { parseCredentials } from './credentials.ts';
import { DriverError } from './errors.ts';
import { Targets } from './targets.ts';

const refusalOf = (action: () => unknown): DriverError => {
  try {
    action();
  } catch (error) {
    if (error instanceof DriverError) return error;
    throw error;
  }
  throw new Error('it was accepted');
};

describe('a connection string', () => {
  test('says who wants in and where', () => {
    const { password, ...rest } = parseCredentials(
      'postgresql://an%40na:p%3A%2F%20%C3%A9@DB.example.com:6432/my%20db?sslmode=require&application_name=app&options=-c%20work_mem%3D1MB%20endpoint%3Dep-1',
    );
    expect(rest).toEqual({
      host: 'db.example.com',
      port: 6432,
      user: 'an@na',
      database: 'my db',
      applicationName: 'app',
      options: '-c work_mem=1MB',
    });
    expect(password.reveal()).toBe('p:/ é');
  });

  test('has defaults', () => {
    const found = parseCredentials('postgres://anna:x@localhost?pgbouncer=true');
    expect(found).toMatchObject({ port: 5432, database: 'anna', applicationName: null, options: null });
  });

  test.each([
    ['nothing', ''],
    ['another scheme', 'mysql://u:secret@h/d'],
    ['pairs', 'host=h user=u password=secret'],
    ['no user', 'postgresql://:secret@h/d'],
    ['no password', 'postgresql://secret@h/d'],
    ['a broken escape', 'postgresql://u:secret%zz@h/d'],
    ['a zero byte', 'postgresql://u:secret@h/d%00'],
    ['a zero byte in a parameter', 'postgresql://u:secret@h/d?options=%00secret'],
    ['too long a name', `postgresql://u${'u'.repeat(2000)}:secret@h/d`],
  ])('%s is refused without being repeated', (_, text) => {
    const { status, fields } = refusalOf(() => parseCredentials(text));
    expect(status).toBe(400);
    expect(fields.code).toBe('08001');
    expect(JSON.stringify(fields)).not.toContain('secret');
  });
});

describe('targets', () => {
  const own = parseConnectionString('postgresql://login:x@db.internal:6000/app', {});
  const endpoint = (host: string, port: number) => [{ kind: 'tcp', host, address: null, port }];

  test('without a list there is one, whatever it is called', () => {
    const targets = new Targets(own, [], []);
    expect(targets.find('door.example.com', 5432).endpoints).toEqual(endpoint('db.internal', 6000));
    expect(targets.find('169.254.169.254', 80).endpoints).toEqual(endpoint('db.internal', 6000));
    targets.check('any');
  });

  test('with EDGEREST_DRIVER_TARGETS those that are on it, and no other', () => {
    const targets = new Targets(own, ['db.one', 'db.two:6432', 'reports=10.0.0.7:5433', '[fd00::1]:5440'], []);
    expect(targets.find('db.one', 5432).endpoints).toEqual(endpoint('db.one', 5432));
    expect(targets.find('db.two', 6432).endpoints).toEqual(endpoint('db.two', 6432));
    expect(targets.find('reports', 5432).endpoints).toEqual(endpoint('10.0.0.7', 5433));
    expect(targets.find('[fd00::1]', 5440).endpoints).toEqual(endpoint('fd00::1', 5440));
    for (const [host, port] of [
      ['db.one', 22],
      ['db.two', 5432],
      ['db.internal', 6000],
      ['10.0.0.7', 5433],
      ['localhost', 5432],
    ] as const) {
      expect(refusalOf(() => targets.find(host, port)).fields.code).toBe('08004');
    }
  });

  test('with EDGEREST_DRIVER_DATABASES those that are on it', () => {
    const targets = new Targets(own, [], ['app', 'reports']);
    targets.check('app');
    expect(refusalOf(() => targets.check('postgres')).fields.code).toBe('3D000');
  });
});
