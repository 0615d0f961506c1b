import { describe, expect, test } from 'vitest';
import type { RoleFacts } from './role-facts.ts';
import { AllowedRoles, RoleRule } from './roles.ts';

const facts: RoleFacts = {
  login: 'authenticator',
  settings: new Map(),
  isolation: new Map(),
  refused: new Set(['authenticator', 'postgres', 'service_role']),
  inherits: [],
};

const kindOf = (role: string, allowed: AllowedRoles | null): string => new RoleRule(facts, allowed).decide(role).kind;
const anyone = new AllowedRoles([], 'anon');

describe('over the hop', () => {
  test.each(['', 'none', 'authenticator', 'postgres', 'service_role'])('%j is refused', (role) => {
    expect(kindOf(role, anyone)).toBe('refused');
  });

  test('a role that is not known as privileged is asked for in its first flight, and only then', () => {
    const rule = new RoleRule(facts, anyone);
    expect(rule.decide('alice')).toEqual({ kind: 'guard' });
    rule.passed('alice');
    expect(rule.decide('alice')).toEqual({ kind: 'switch' });
    expect(rule.decide('bob')).toEqual({ kind: 'guard' });
  });

  test('a list allows what it names, privileged or not, and the anonymous role', () => {
    const allowed = new AllowedRoles(['service_role', 'web_*', ''], 'anon');
    expect(kindOf('service_role', allowed)).toBe('switch');
    expect(kindOf('web_alice', allowed)).toBe('guard');
    expect(kindOf('anon', allowed)).toBe('guard');
    expect(kindOf('alice', allowed)).toBe('refused');
    expect(kindOf('xweb_alice', allowed)).toBe('refused');
  });

  test('a pattern never allows a privileged role', () => {
    const allowed = new AllowedRoles(['*'], null);
    expect(kindOf('anyone', allowed)).toBe('guard');
    expect(kindOf('postgres', allowed)).toBe('refused');
    expect(kindOf('authenticator', allowed)).toBe('refused');
  });

  test('characters of regular expressions mean themselves in a pattern', () => {
    const allowed = new AllowedRoles(['a.b*(c)'], null);
    expect(kindOf('a.bxx(c)', allowed)).toBe('guard');
    expect(kindOf('aXbxx(c)', allowed)).toBe('refused');
  });

  test.each(['', 'none'])('not even a list allows %j', (role) => {
    expect(kindOf(role, new AllowedRoles([role, '*'], role))).toBe('refused');
  });
});

describe('in the process that verified the token', () => {
  test.each(['alice', 'service_role', 'authenticator'])('membership decides for %s', (role) => {
    expect(kindOf(role, null)).toBe('switch');
  });

  test.each(['', 'none'])('%j is refused: it would leave the statements running as the login role', (role) => {
    expect(kindOf(role, null)).toBe('refused');
  });
});
