import { describe, expect, it } from 'vitest';
import { errorOf, office } from './office.fixture.ts';
import { findRelationship } from './relationships.ts';

const find = (origin: string, target: string, hint: string | null = null) =>
  findRelationship(office(), 'test', origin, target, hint);

describe('a relationship is found', () => {
  it.each([
    ['its target', 'projects', 'clients', null, 'many-to-one'],
    ['its foreign key', 'projects', 'projects_client_id_fkey', null, 'many-to-one'],
    ['its column', 'projects', 'client_id', null, 'many-to-one'],
    ['a foreign key as a hint', 'messages', 'people', 'messages_sender_fkey', 'many-to-one'],
    ['a column as a hint', 'messages', 'people', 'recipient', 'many-to-one'],
    ['a column of the target as a hint', 'people', 'messages', 'sender', 'one-to-many'],
    ['a junction as a hint', 'users', 'tasks', 'users_tasks', 'many-to-many'],
    ['the relation of itself for its many side', 'people', 'people', null, 'one-to-many'],
    ['the column of itself for its one side', 'people', 'boss', null, 'many-to-one'],
    ['the column of itself as a hint', 'people', 'people', 'boss', 'one-to-many'],
  ])('by %s', (_, origin, target, hint, kind) => {
    const r = find(origin, target, hint);
    expect(r.kind === 'detected' ? r.cardinality.kind : r.kind).toBe(kind);
  });

  it('by the name of a function, whatever the hint', () => {
    expect(find('projects', 'main_client', 'anything')).toMatchObject({
      kind: 'computed',
      function: { name: 'main_client' },
    });
  });

  it('not through a view by its foreign key or column', () => {
    const schema = office();
    const { snapshot } = schema;
    const viewed = office({
      relationships: snapshot.relationships.map((r) =>
        r.kind === 'detected' ? { ...r, foreignTableIsView: true } : r,
      ),
    });
    expect(errorOf(() => findRelationship(viewed, 'test', 'projects', 'client_id', null))).toMatchObject({
      code: 'PGRST200',
    });
    expect(findRelationship(viewed, 'test', 'projects', 'clients', 'client_id')).toMatchObject({ kind: 'detected' });
  });
});

describe('a missing relationship', () => {
  it('is PGRST200 with what was searched for', () => {
    expect(errorOf(() => find('projects', 'clients', 'nothing'))).toMatchObject({
      status: 400,
      code: 'PGRST200',
      message: "Could not find a relationship between 'projects' and 'clients' in the schema cache",
      details:
        "Searched for a foreign key relationship between 'projects' and 'clients' using the hint 'nothing' in the schema 'test', but no matches were found.",
      hint: null,
      fromSnapshot: true,
    });
  });

  it('suggests a target, or an origin that has relationships', () => {
    expect(errorOf(() => find('clients', 'project'))).toMatchObject({
      hint: "Perhaps you meant 'projects' instead of 'project'.",
    });
    expect(errorOf(() => find('clientes', 'projects'))).toMatchObject({
      hint: "Perhaps you meant 'clients' instead of 'clientes'.",
    });
    expect(errorOf(() => find('clients', 'zzz'))).toMatchObject({ hint: null });
    // Its relationships are concealed: suggesting another origin would not help.
    expect(errorOf(() => find('customers', 'projects'))).toMatchObject({ hint: null });
    expect(errorOf(() => find('customer', 'projects'))).toMatchObject({
      hint: "Perhaps you meant 'customers' instead of 'customer'.",
    });
  });
});

it('several relationships are PGRST201 with a description of each', () => {
  const error = errorOf(() => find('messages', 'people'));
  expect(error).toMatchObject({ status: 300, code: 'PGRST201', fromSnapshot: true });
  expect(JSON.stringify(error && typeof error === 'object' && 'details' in error ? error.details : null)).toBe(
    '[{"cardinality":"many-to-one","embedding":"messages with people","relationship":"messages_sender_fkey using messages(sender) and people(id)"},' +
      '{"cardinality":"many-to-one","embedding":"messages with people","relationship":"messages_recipient_fkey using messages(recipient) and people(id)"}]',
  );
  expect(error).toMatchObject({
    message: "Could not embed because more than one relationship was found for 'messages' and 'people'",
    hint: "Try changing 'people' to one of the following: 'people!messages_sender_fkey', 'people!messages_recipient_fkey'. Find the desired relationship in the 'details' key.",
  });
});
