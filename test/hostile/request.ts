/** Requests for a real schema: each is what a client might mean, with hostile names among the real ones and places for values. */
import type { Schema } from '../../shared/snapshot/schema.ts';
import type { Routine, Table } from '../../shared/snapshot/types.ts';
import { qualified } from '../../shared/sql/identifiers.ts';
import type { RawRequest } from '../../worker/request/types.ts';
import type { Choices } from './choices.ts';
import { columnOf, condition, jsonPath, logicList, written } from './columns.ts';
import { type Level, SelectWriter } from './select.ts';
import { encoded, filled, join, joined, slot, type Template, type Values } from './template.ts';
import { hostileText } from './words.ts';

export type WholeRequest = RawRequest & { readonly body: Uint8Array };

/** A request with places for values. */
export interface RequestTemplate {
  readonly method: string;
  readonly target: Template;
  readonly headers: readonly (readonly [string, Template])[];
  readonly body: Template;
}

const encoder = new TextEncoder();

/** One request of many: the same with these values. */
export function withValues({ method, target, headers, body }: RequestTemplate, values: Values): WholeRequest {
  return {
    method,
    target: filled(target, values),
    headers: headers.map(([name, value]) => [name, Buffer.from(filled(value, values)).toString('latin1')]),
    body: encoder.encode(filled(body, values)),
  };
}

type Pair = readonly [string | Template, Template];

const parameter = ([key, value]: Pair): Template =>
  join(encoded(join(key), encodeURIComponent), '=', encoded(value, encodeURIComponent));

const ACCEPTS = [
  'application/json',
  'application/vnd.pgrst.object+json',
  'application/vnd.pgrst.object+json;nulls=stripped',
  'application/vnd.pgrst.array+json;nulls=stripped',
  'text/csv',
  'text/csv;q=0.5, application/json;q=0.1',
  '*/*',
  'text/plain',
  'application/octet-stream',
  'application/x-any',
  'application/vnd.clients',
  'application/geo+json',
  'application/vnd.pgrst.plan',
  'application/vnd.pgrst.plan+json; for="text/csv"; options=verbose|settings|buffers',
  'application/vnd.pgrst.plan+text; for="application/vnd.pgrst.object"; options=analyze|wal',
] as const;

const PREFERENCES = [
  'count=exact',
  'count=planned',
  'count=estimated',
  'return=representation',
  'return=headers-only',
  'return=minimal',
  'resolution=merge-duplicates',
  'resolution=ignore-duplicates',
  'missing=default',
  'missing=null',
  'handling=strict',
  'handling=lenient',
  'tx=commit',
] as const;

export class RequestWriter {
  readonly #choices: Choices;
  readonly #schema: Schema;

  constructor(choices: Choices, schema: Schema) {
    this.#choices = choices;
    this.#schema = schema;
  }

  write(): RequestTemplate {
    const choices = this.#choices;
    if (choices.oneIn(4)) return this.#call(choices.of(this.#schema.snapshot.routines));
    const table = choices.of(this.#schema.snapshot.tables);
    return choices.oneIn(3) ? this.#mutation(table) : this.#read(table);
  }

  #read(table: Table): RequestTemplate {
    const method = this.#choices.of(['GET', 'GET', 'GET', 'GET', 'HEAD', 'OPTIONS']);
    const headers = this.#headers(table.schema, method);
    if (this.#choices.oneIn(10)) headers.push(['range', join(String(this.#choices.below(3)), '-', slot('number'))]);
    return { method, target: this.#target(this.#pathOf(table.name), this.#query(table, true)), headers, body: [] };
  }

  #mutation(table: Table): RequestTemplate {
    const choices = this.#choices;
    const method = choices.of(['POST', 'POST', 'PATCH', 'PATCH', 'DELETE', 'PUT']);
    const headers = this.#headers(table.schema, method);
    const pairs: Pair[] = [...this.#query(table, method !== 'PUT' && method !== 'POST')];
    if (method === 'PUT') for (const name of table.primaryKey) pairs.push([written(name), join('eq.', slot('text'))]);
    const columns = choices.some(4, () => columnOf(choices, table).name);
    if (choices.oneIn(5)) pairs.push(['columns', [columns.map(written).join(',')]]);
    if (choices.oneIn(5)) {
      const target = choices.oneIn(3) ? [columnOf(choices, table).name] : table.primaryKey;
      pairs.push(['on_conflict', [target.map(written).join(',')]]);
    }
    const [type, body] = method === 'DELETE' ? [null, []] : this.#rows(columns);
    if (type !== null) headers.push(['content-type', [type]]);
    return { method, target: this.#target(this.#pathOf(table.name), pairs), headers, body };
  }

  #rows(columns: readonly string[]): readonly [string, Template] {
    const choices = this.#choices;
    return choices.from<readonly [string, Template]>(
      () => ['application/json', this.#object(columns)],
      () => [
        'application/json',
        join('[', joined([this.#object(columns), ...choices.some(2, () => this.#object(columns))], ','), ']'),
      ],
      () => [
        'application/x-www-form-urlencoded',
        joined(
          columns.map((name) => parameter([name, slot('text')])),
          '&',
        ),
      ],
      () => {
        const cell = encoded(slot('text'), (text) => `"${text.replaceAll('"', '""')}"`);
        const line = joined(
          columns.map(() => cell),
          ',',
        );
        const heads = columns.map((name): Template => [`"${name.replaceAll('"', '""')}"`]);
        return ['text/csv', joined([joined(heads, ','), line, ...choices.some(2, () => line)], '\n')];
      },
    );
  }

  #object(names: readonly string[]): Template {
    const members = names.map((name) => join(JSON.stringify(name), ':', this.#json()));
    return join('{', joined(members, ','), '}');
  }

  #json(): Template {
    return this.#choices.from(
      () => encoded(slot('text'), (text) => JSON.stringify(text)),
      () => slot('number'),
      (): Template => ['null'],
      () =>
        join(
          '{"a":[',
          encoded(slot('text'), (text) => JSON.stringify(text)),
          ',true]}',
        ),
    );
  }

  #call(routine: Routine): RequestTemplate {
    const choices = this.#choices;
    const method = choices.of(['GET', 'POST', 'POST', 'HEAD']);
    const headers = this.#headers(routine.schema, method);
    const path = `/rpc/${encodeURIComponent(routine.name)}`;
    const table = this.#schema.table(routine.returns.type);
    const pairs: Pair[] = table === undefined && !choices.oneIn(4) ? [] : [...this.#query(table, true)];
    const given = routine.parameters
      .filter((p) => (p.required ? !choices.oneIn(20) : choices.oneIn(2)))
      .map((p) => p.name);
    if (choices.oneIn(20)) given.push(hostileText(choices));
    if (method !== 'POST') {
      for (const name of given) pairs.push([written(name), slot('argument')]);
      if (routine.hasVariadic) pairs.push(...given.map((name): Pair => [written(name), slot('argument')]));
      return { method, target: this.#target(path, pairs), headers, body: [] };
    }
    const unnamed = routine.parameters.length === 1 && routine.parameters[0]?.name === '';
    const [type, body] = unnamed ? this.#unnamed() : this.#rows(given);
    headers.push(['content-type', [type]]);
    return { method, target: this.#target(path, pairs), headers, body };
  }

  #unnamed(): readonly [string, Template] {
    return this.#choices.from<readonly [string, Template]>(
      () => ['application/json', this.#json()],
      () => ['text/plain', slot('text')],
      () => ['application/octet-stream', slot('text')],
    );
  }

  #pathOf(name: string): string {
    return `/${encodeURIComponent(this.#choices.oneIn(30) ? hostileText(this.#choices) : name)}`;
  }

  #target(path: string, pairs: readonly Pair[]): Template {
    return pairs.length === 0 ? [path] : join(path, '?', joined(pairs.map(parameter), '&'));
  }

  /** Select, conditions, orders and ranges on any level. */
  #query(table: Table | undefined, withConditions: boolean): Pair[] {
    const choices = this.#choices;
    const select = new SelectWriter(choices, this.#schema);
    const id = table === undefined ? qualified('api', 'clients') : qualified(table.schema, table.name);
    const pairs: Pair[] = [];
    if (choices.oneIn(4)) select.root(id);
    else pairs.push(['select', select.write(id)]);
    if (!withConditions) return pairs;
    for (let left = choices.below(5); left > 0; left--) pairs.push(this.#condition(choices.of(select.levels)));
    return pairs;
  }

  #condition(level: Level): Pair {
    const choices = this.#choices;
    const prefix = level.path.map((name) => `${written(name)}.`).join('');
    const column = columnOf(choices, level.table);
    return choices.from<Pair>(
      () => {
        const path = jsonPath(choices, column, false);
        const type = path.length > 0 ? 'text' : column.type;
        return [join(`${prefix}${written(column.name)}`, path), condition(choices, type, false)];
      },
      () => [
        `${prefix}${choices.of(['and', 'or', 'not.and', 'not.or'])}`,
        logicList(choices, level.table, level.embeds, 2),
      ],
      () => [`${prefix}order`, joined([this.#order(level), ...choices.some(2, () => this.#order(level))], ',')],
      () => [`${prefix}${choices.of(['limit', 'offset'])}`, slot('number')],
      () => {
        const embed = level.embeds.length > 0 ? choices.of(level.embeds) : column.name;
        return [`${prefix}${written(embed)}`, [choices.of(['is.null', 'not.is.null', 'is.not_null'])]];
      },
    );
  }

  #order(level: Level): Template {
    const choices = this.#choices;
    const column = columnOf(choices, level.table);
    const field = join(written(column.name), jsonPath(choices, column, false));
    const related = level.embeds.length > 0 && choices.oneIn(3);
    return join(
      related ? join(`${written(choices.of(level.embeds))}(`, choices.oneIn(2) ? 'id' : field, ')') : field,
      choices.of(['', '.asc', '.desc']),
      choices.of(['', '.nullsfirst', '.nullslast']),
    );
  }

  #headers(schema: string, method: string): (readonly [string, Template])[] {
    const choices = this.#choices;
    const headers: (readonly [string, Template])[] = [];
    const isRead = method === 'GET' || method === 'HEAD' || method === 'OPTIONS';
    if (schema !== 'api') headers.push([isRead ? 'accept-profile' : 'content-profile', [schema]]);
    if (choices.oneIn(3)) headers.push(['accept', [choices.of(ACCEPTS)]]);
    const preferences: Template[] = choices.some(2, () => [choices.of(PREFERENCES)]);
    if (choices.oneIn(10)) preferences.push(join('timezone=', slot('word')));
    if (choices.oneIn(10)) preferences.push(join('handling=strict, max-affected=', slot('number')));
    if (preferences.length > 0) headers.push(['prefer', joined(preferences, ', ')]);
    return headers;
  }
}
