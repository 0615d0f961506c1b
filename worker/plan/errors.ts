/**
 * The errors that planning raises, with PostgREST's texts.
 * https://docs.postgrest.org/en/stable/references/errors.html
 */
import type { DetectedRelationship, Relationship, Routine } from '../../shared/snapshot/types.ts';
import { ApiError, type Json } from '../error.ts';

/** Decided by the snapshot: a newer one may know the name. */
const FROM_SNAPSHOT = { fromSnapshot: true } as const;

// ---- decided by the request ----

/** PUT without exactly its key. */
export const invalidUpsertFilters = (): ApiError =>
  new ApiError(405, {
    code: 'PGRST105',
    message: "Filters must include all and only primary key columns with 'eq' operators",
  });

/** None of the accepted media types can be produced. */
export const noAcceptableMediaType = (accepted: readonly string[]): ApiError =>
  new ApiError(406, {
    code: 'PGRST107',
    message: `None of these media types are available: ${accepted.join(', ')}`,
  });

/**
 * A filter, order or limit on something that is not embedded. `renamed`: it is, under an alias, and target names are
 * not allowed (`url-use-legacy-target-names`).
 */
export const notEmbedded = (
  name: string,
  renamed: { readonly name: string; readonly alias: string } | null,
): ApiError => {
  const message = `'${name}' is not an embedded resource in this request`;
  return renamed
    ? new ApiError(400, {
        code: 'PGRST108',
        message,
        details: 'Target names are not allowed in filters if they have an alias',
        hint: `Change '${renamed.name}' to '${renamed.alias}' in filters, orders or limits.`,
      })
    : new ApiError(400, {
        code: 'PGRST108',
        message,
        hint: `Verify that '${name}' is included in the 'select' query parameter.`,
      });
};

export const relatedOrderNotToOne = (origin: string, target: string): ApiError =>
  new ApiError(400, {
    code: 'PGRST118',
    message: `A related order on '${target}' is not possible`,
    details: `'${origin}' and '${target}' do not form a many-to-one or one-to-one relationship`,
  });

export const invalidPreferences = (preferences: readonly string[]): ApiError =>
  new ApiError(400, {
    code: 'PGRST122',
    message: 'Invalid preferences given with handling=strict',
    details: `Invalid preferences: ${preferences.join(', ')}`,
  });

export const aggregatesNotAllowed = (): ApiError =>
  new ApiError(400, { code: 'PGRST123', message: 'Use of aggregate functions is not allowed' });

export const toManySpreadAggregate = (): ApiError =>
  new ApiError(400, {
    code: 'PGRST127',
    message: 'Feature not implemented',
    details: 'Aggregates are not implemented for one-to-many or many-to-many spreads.',
  });

export const maxAffectedNeedsSet = (): ApiError =>
  new ApiError(400, {
    code: 'PGRST128',
    message: 'Function must return SETOF or TABLE when max-affected preference is used with handling=strict',
  });

// ---- decided by the snapshot ----

export const noRelationship = (
  schema: string,
  origin: string,
  target: string,
  hint: string | null,
  suggestion: string | null,
): ApiError => {
  const using = hint === null ? '' : ` using the hint '${hint}'`;
  return new ApiError(
    400,
    {
      code: 'PGRST200',
      message: `Could not find a relationship between '${origin}' and '${target}' in the schema cache`,
      details: `Searched for a foreign key relationship between '${origin}' and '${target}'${using} in the schema '${schema}', but no matches were found.`,
      hint: suggestion,
    },
    FROM_SNAPSHOT,
  );
};

const list = (columns: readonly string[]): string => `(${columns.join(', ')})`;

/** How a relationship is told apart from others; the keys are in PostgREST's order, which is alphabetical. */
function describe(r: DetectedRelationship): Json {
  const { cardinality, table, foreignTable } = r;
  const embedding = `${table.name} with ${foreignTable.name}`;
  if (cardinality.kind === 'many-to-many') {
    const { junction } = cardinality;
    const source = junction.constraint1 + list(junction.sourceColumns.map(([, column]) => column));
    const target = junction.constraint2 + list(junction.targetColumns.map(([, column]) => column));
    const relationship = `${junction.table.name} using ${source} and ${target}`;
    return { cardinality: cardinality.kind, embedding, relationship };
  }
  const source = table.name + list(cardinality.columns.map(([column]) => column));
  const target = foreignTable.name + list(cardinality.columns.map(([, column]) => column));
  const relationship = `${cardinality.constraint} using ${source} and ${target}`;
  return { cardinality: cardinality.kind, embedding, relationship };
}

function disambiguation(r: DetectedRelationship): string {
  const { cardinality } = r;
  const hint = cardinality.kind === 'many-to-many' ? cardinality.junction.table.name : cardinality.constraint;
  return `'${r.foreignTable.name}!${hint}'`;
}

export const ambiguousRelationship = (origin: string, target: string, found: readonly Relationship[]): ApiError => {
  const choices = found.map((r) => (r.kind === 'detected' ? disambiguation(r) : '')).join(', ');
  return new ApiError(
    300,
    {
      code: 'PGRST201',
      message: `Could not embed because more than one relationship was found for '${origin}' and '${target}'`,
      details: found.map((r) => (r.kind === 'detected' ? describe(r) : {})),
      hint: `Try changing '${target}' to one of the following: ${choices}. Find the desired relationship in the 'details' key.`,
    },
    FROM_SNAPSHOT,
  );
};

/**
 * `name` is qualified, `argumentNames` sorted. `body`: the type of a single unnamed parameter that a POST's body could
 * have been for; null when there is none.
 */
export const noRoutine = (
  name: string,
  argumentNames: readonly string[],
  body: 'json' | 'text' | 'xml' | 'bytea' | null,
  suggestion: string | null,
): ApiError => {
  const onlyUnnamed = body === 'text' || body === 'xml' || body === 'bytea';
  const names = argumentNames.join(', ');
  const none = ' without parameters';
  const asked = argumentNames.length === 0 ? none : `(${names})`;
  const searched = argumentNames.length === 0 ? none : ` with parameter${argumentNames.length > 1 ? 's' : ''} ${names}`;
  const how = onlyUnnamed
    ? ` with a single unnamed ${body} parameter`
    : searched + (body === 'json' ? ' or with a single unnamed json/jsonb parameter' : '');
  return new ApiError(
    404,
    {
      code: 'PGRST202',
      message: `Could not find the function ${name}${onlyUnnamed ? '' : asked} in the schema cache`,
      details: `Searched for the function ${name}${how}, but no matches were found in the schema cache.`,
      hint: onlyUnnamed ? null : suggestion,
    },
    FROM_SNAPSHOT,
  );
};

const signature = (r: Routine): string =>
  `${r.schema}.${r.name}(${r.parameters.map((p) => `${p.name} => ${p.type}`).join(', ')})`;

export const ambiguousRoutine = (found: readonly Routine[]): ApiError =>
  new ApiError(
    300,
    {
      code: 'PGRST203',
      message: `Could not choose the best candidate function between: ${found.map(signature).join(', ')}`,
      hint: 'Try renaming the parameters or the function itself in the database so function overloading can be resolved',
    },
    FROM_SNAPSHOT,
  );

export const noColumn = (table: string, column: string): ApiError =>
  new ApiError(
    400,
    { code: 'PGRST204', message: `Could not find the '${column}' column of '${table}' in the schema cache` },
    FROM_SNAPSHOT,
  );

export const noTable = (schema: string, table: string, suggestion: string | null): ApiError =>
  new ApiError(
    404,
    {
      code: 'PGRST205',
      message: `Could not find the table '${schema}.${table}' in the schema cache`,
      hint: suggestion,
    },
    FROM_SNAPSHOT,
  );
