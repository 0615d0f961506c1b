import { describe, expect, test } from 'vitest';
import { documentOf, hopOf, type Json, names, outcomeOf, requestOf, sqlOf, textOf } from './zoo.fixture.ts';

describe('a table', () => {
  test('is defined by its columns: keys, defaults, lengths, labels', async () => {
    const { definitions } = await documentOf();
    expect(definitions?.keeper).toEqual({
      type: 'object',
      description: 'Who feeds\nThe hand that feeds.\n\nDaily.',
      required: ['id', 'name', 'size'],
      properties: Object.fromEntries([
        ['id', { type: 'integer', format: 'int32', description: 'Badge number\n\nNote:\nThis is a Primary Key.<pk/>' }],
        ['name', { type: 'string', format: 'character varying', maxLength: 20, default: 'nobody' }],
        // What is no JSON between quotes is left out, as PostgREST does.
        ['motto', { type: 'string', format: 'text' }],
        ['back', { type: 'string', format: 'text', default: 'a\b' }],
        ['flags', { type: 'string', format: 'bit', maxLength: 4 }],
        ['code', { type: 'string', format: 'character varying', maxLength: 3, default: 'zoo' }],
        ['since', { type: 'string', format: 'date', default: 'now()' }],
        ['salary', { type: 'number', format: 'numeric', default: 12345678901234567000 }],
        ['born', { type: 'string', format: 'date', default: '1990-01-01' }],
        ['active', { type: 'boolean', format: 'boolean', default: true }],
        ['note', { format: 'jsonb' }],
        ['tags', { type: 'array', format: 'text[]', items: { type: 'string' } }],
        ['size', { type: 'string', format: 'api.exact_size', enum: ['small', 'big'] }],
        ['a,b', { type: 'integer', format: 'int32' }],
        ['__proto__', { type: 'integer', format: 'int32' }],
        ['1', { type: 'integer', format: 'int32' }],
      ]),
    });
  });

  test('a number keeps its digits', async () => {
    expect(textOf(await outcomeOf({}))).toContain('"salary":{"default":12345678901234567890.10,');
  });

  test('foreign keys of one column are told, tables before views, composite keys are not', async () => {
    const { definitions } = await documentOf();
    const foreign = "Note:\nThis is a Foreign Key to `keeper.id`.<fk table='keeper' column='id'/>";
    expect(definitions?.animal?.properties).toEqual({
      id: { type: 'integer', format: 'int64', description: 'Note:\nThis is a Primary Key.<pk/>' },
      part: { type: 'integer', format: 'int64', description: 'Note:\nThis is a Primary Key.<pk/>' },
      keeper: { type: 'integer', format: 'int32', description: foreign },
      friend: { type: 'integer', format: 'int32', description: foreign },
    });
    expect(definitions?.animals?.properties?.keeper?.description).toBe(foreign);
  });

  test('has the operations that it can do, with references that lead somewhere', async () => {
    const document = await documentOf();
    const { paths, parameters } = document;
    expect(paths?.['/keeper']?.get).toMatchObject({
      tags: ['keeper'],
      summary: 'Who feeds',
      description: 'The hand that feeds.\n\nDaily.',
    });
    expect(paths?.['/animals']?.get?.summary).toBe('All of them');
    expect(paths?.['/animals']?.get).not.toHaveProperty('description');
    expect(names(paths?.['/keeper'])).toEqual(['delete', 'get', 'patch', 'post']);
    expect(names(paths?.['/counted'])).toEqual(['get']);
    expect(paths?.['/animals']?.patch).toEqual({
      tags: ['animals'],
      summary: 'All of them',
      parameters: [
        'rowFilter.animals.id',
        'rowFilter.animals.part',
        'rowFilter.animals.keeper',
        'body.animals',
        'preferReturn',
      ].map((name) => ({ $ref: `#/parameters/${name}` })),
      responses: { '204': { description: 'No Content' } },
    });
    expect(parameters?.['body.animals']).toEqual({
      name: 'animals',
      description: 'animals',
      required: false,
      in: 'body',
      schema: { $ref: '#/definitions/animals' },
    });
    expect(parameters?.['rowFilter.keeper.id']).toEqual({
      name: 'id',
      description: 'Badge number',
      required: false,
      in: 'query',
      type: 'string',
    });
    const references = JSON.stringify(document).matchAll(/"\$ref":"#\/(definitions|parameters)\/((?:[^"\\]|\\.)*)"/g);
    for (const [, kind = '', name] of references) {
      expect(document[kind], `${kind} ${name}`).toHaveProperty([JSON.parse(`"${name}"`)]);
    }
  });
});

describe('a function', () => {
  test('is its last overload, POST alone where it may write', async () => {
    const { paths } = await documentOf();
    expect(paths?.['/rpc/feed']).toEqual({
      post: {
        tags: ['(rpc) feed'],
        summary: 'Feeds',
        description: 'an animal',
        produces: [
          'application/json',
          'application/vnd.pgrst.object+json;nulls=stripped',
          'application/vnd.pgrst.object+json',
        ],
        parameters: [
          {
            name: 'args',
            in: 'body',
            required: true,
            schema: {
              type: 'object',
              description: 'Feeds\nan animal',
              required: ['animal'],
              properties: {
                animal: { type: 'integer', format: 'int64' },
                food: { type: 'string', format: 'text' },
                amounts: { type: 'array', format: 'integer[]', items: { type: 'integer' } },
              },
            },
          },
          { $ref: '#/parameters/preferParams' },
        ],
        responses: { '200': { description: 'OK' } },
      },
    });
  });

  test('takes its arguments in the query where it only reads; types are named as the role sees them', async () => {
    const { paths } = await documentOf();
    expect(paths?.['/rpc/sizes']?.get?.parameters).toEqual([
      { name: 'size', in: 'query', required: true, type: 'string', format: 'size' },
      {
        name: 'names',
        in: 'query',
        required: true,
        type: 'array',
        items: { type: 'string', format: 'text' },
        collectionFormat: 'multi',
      },
    ]);
    expect(paths?.['/rpc/raw']?.get?.parameters).toEqual([
      { name: '', in: 'query', required: true, type: 'string', format: 'json' },
    ]);
    expect(paths?.['/rpc/out_first']?.get?.parameters).toEqual([
      { name: 'needed', in: 'query', required: true, type: 'string', format: 'text' },
    ]);
    expect(paths?.['/rpc/nothing']?.get).not.toHaveProperty('parameters');
  });

  test('is there although it was made after the snapshot; its comment changes at once', async () => {
    const hop = await hopOf();
    await sqlOf()`create function api.fresh() returns int language sql stable as 'select 1'`;
    await sqlOf()`comment on function api.fresh() is 'New'`;
    const document: Json = JSON.parse(textOf(await hop.transaction(requestOf(), null, null)));
    expect(document.paths?.['/rpc/fresh']?.get?.summary).toBe('New');
    await sqlOf()`drop function api.fresh()`;
  });
});
