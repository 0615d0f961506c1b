/**
 * Where a view's columns come from, read from its rule's action. PostgreSQL keeps with every entry of a query's target
 * list the table and column that it was taken from (resorigtbl, resorigcol), subqueries and joins already resolved;
 * expressions and unions have none. The text is a pg_node_tree: `({QUERY :field value … :targetList ({TARGETENTRY …}
 * …) …})`, with a backslash before special characters inside a token (PostgreSQL's src/backend/nodes/outfuncs.c).
 */

/** A view's column (attribute number) and the column of a relation that it shows. */
export interface ViewTarget {
  readonly column: number;
  readonly relation: number;
  readonly relationColumn: number;
}

const BACKSLASH = 92;
const SPACE = 32;
const OPEN_LIST = 40;
const CLOSE_LIST = 41;
const OPEN_NODE = 123;
const CLOSE_NODE = 125;

const isDelimiter = (c: number): boolean =>
  c === SPACE || c === OPEN_LIST || c === CLOSE_LIST || c === OPEN_NODE || c === CLOSE_NODE;

/** The end of the token that starts at `start`: the position of the first delimiter that is not escaped. */
function tokenEnd(text: string, start: number): number {
  let i = start;
  while (i < text.length) {
    const c = text.charCodeAt(i);
    if (c === BACKSLASH) i += 2;
    else if (isDelimiter(c)) return i;
    else i++;
  }
  return text.length;
}

/** The position behind the node or list that opens at `start`. */
function skipNested(text: string, start: number): number {
  let depth = 0;
  for (let i = start; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c === BACKSLASH) i++;
    else if (c === OPEN_NODE || c === OPEN_LIST) depth++;
    else if ((c === CLOSE_NODE || c === CLOSE_LIST) && --depth === 0) return i + 1;
  }
  return text.length;
}

interface Field {
  readonly name: string;
  readonly start: number;
  readonly end: number;
}

/**
 * The fields of the node that opens at `start`, in order: a name after a colon, then one token, node or list (some
 * fields, as a constant's bytes, take several tokens; those are not asked for).
 */
function* fields(text: string, start: number): Generator<Field> {
  let i = tokenEnd(text, start + 1);
  while (i < text.length) {
    const c = text.charCodeAt(i);
    if (c === CLOSE_NODE) return;
    if (c === SPACE) {
      i++;
      continue;
    }
    const end = c === OPEN_NODE || c === OPEN_LIST ? skipNested(text, i) : tokenEnd(text, i);
    if (c !== 58 || text.charCodeAt(end) !== SPACE) {
      // a delimiter on its own is no field either
      i = Math.max(end, i + 1);
      continue;
    }
    const value = end + 1;
    const open = text.charCodeAt(value);
    const valueEnd = open === OPEN_NODE || open === OPEN_LIST ? skipNested(text, value) : tokenEnd(text, value);
    yield { name: text.slice(i + 1, end), start: value, end: valueEnd };
    i = valueEnd;
  }
}

/** The nodes of the list that opens at `start`, by where each opens. */
function* nodes(text: string, start: number): Generator<number> {
  let i = start + 1;
  while (i < text.length) {
    const c = text.charCodeAt(i);
    if (c === CLOSE_LIST) return;
    if (c === OPEN_NODE) {
      yield i;
      i = skipNested(text, i);
    } else i++;
  }
}

function readTarget(text: string, start: number): ViewTarget {
  let column = 0;
  let relation = 0;
  let relationColumn = 0;
  for (const field of fields(text, start)) {
    const value = (): number => Number(text.slice(field.start, field.end));
    if (field.name === 'resno') column = value();
    else if (field.name === 'resorigtbl') relation = value();
    else if (field.name === 'resorigcol') relationColumn = value();
  }
  return { column, relation, relationColumn };
}

/** The columns of a view that show a relation's column as it is. `action` is pg_rewrite.ev_action of its SELECT rule. */
export function viewTargets(action: string): readonly ViewTarget[] {
  const query = action.indexOf('{');
  if (query < 0) return [];
  for (const field of fields(action, query)) {
    if (field.name !== 'targetList' || action.charCodeAt(field.start) !== OPEN_LIST) continue;
    const targets: ViewTarget[] = [];
    for (const node of nodes(action, field.start)) {
      const target = readTarget(action, node);
      if (target.relation !== 0) targets.push(target);
    }
    return targets;
  }
  return [];
}
