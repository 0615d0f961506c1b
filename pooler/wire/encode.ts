import type { Batch } from './batch.ts';
import { describePortalMessage, executeMessage, frontend, syncMessage } from './messages.ts';
import { bindHead, type NamedStatement, type StatementRegistry } from './statements.ts';
import type { FlightStatement, ParameterValue } from './types.ts';
import type { Writer } from './writer.ts';

const unnamedHead = bindHead('');
const maximumParameters = 65_535;

/**
 * Writes a batch: Close for names that are not used any more, then [Parse] Bind [Describe] Execute for each statement in order, then Sync.
 * A RangeError for what cannot be sent leaves the registry as it was; the writer must then be discarded.
 */
export function encodeBatch(writer: Writer, batch: Batch, registry: StatementRegistry, number: number): void {
  // Names are looked up before anything is written, so that every Close comes first, where no error can skip it.
  const named: (NamedStatement | null)[] = [];
  batch.named = named;
  try {
    for (const statement of batch.statements) named.push(lookUp(statement, registry, number));
    batch.closing = registry.takeClosing();
    for (const name of batch.closing) writeClose(writer, name);
    let i = 0;
    for (const statement of batch.statements) {
      const name = named[i++] ?? null;
      const fresh = name === null ? !reusesUnnamed(statement, registry) : name.state === 'new';
      batch.fresh.push(fresh);
      if (fresh) {
        writeParse(writer, name?.name ?? '', statement);
        batch.parsing.push(name);
        if (name === null) registry.unnamed = statement;
        else {
          name.state = 'parsing';
          name.parsed = performance.now();
        }
      }
      writeBind(writer, name?.bindHead ?? unnamedHead, statement);
      if (statement.describe === true) writer.raw(describePortalMessage);
      writer.raw(executeMessage);
    }
    writer.raw(syncMessage);
  } catch (error) {
    for (const name of named) if (name !== null && name.state !== 'ready') registry.forget(name);
    registry.unclosed(batch.closing);
    registry.unnamed = null;
    throw error;
  }
}

/** The registry's entry, or null for a statement that goes without a name. */
function lookUp(statement: FlightStatement, registry: StatementRegistry, number: number): NamedStatement | null {
  if (statement.parameters.length > maximumParameters) throw new RangeError('more than 65535 parameters');
  if (statement.prepare === 'unnamed') return null;
  const { text, types, scope = '', since } = statement;
  return registry.use(text, types ? `${scope}\0${types.join()}` : scope, number, since);
}

/** The very same statement (the reset's check, a constant) finds the unnamed statement as an earlier batch left it. */
function reusesUnnamed(statement: FlightStatement, registry: StatementRegistry): boolean {
  return registry.unnamed === statement;
}

export function writeParse(writer: Writer, name: string, statement: FlightStatement): void {
  writer.begin(frontend.parse);
  writer.cstring(name);
  writer.cstring(statement.text);
  const types = statement.types ?? [];
  writer.int16(types.length);
  for (const oid of types) writer.int32(oid);
  writer.end();
}

function writeBind(writer: Writer, head: Uint8Array, { parameters, binary }: FlightStatement): void {
  writer.begin(frontend.bind);
  if (parameters.some(isBinary)) {
    // A format code for each, in place of the head's last two bytes: no codes, all are text.
    writer.raw(head.subarray(0, -2));
    writer.int16(parameters.length);
    for (const value of parameters) writer.int16(isBinary(value) ? 1 : 0);
  } else writer.raw(head);
  writer.int16(parameters.length);
  for (const value of parameters) {
    if (typeof value === 'string') writer.sized(value);
    else if (value === null) writer.int32(-1);
    else if (value instanceof Uint8Array) {
      writer.int32(value.length);
      writer.bytes(value);
    } else writePieces(writer, 'binary' in value ? value.binary : value);
  }
  // One format code is for all columns, none is text.
  if (binary === true) writer.int16(1);
  writer.int16(binary === true ? 1 : 0);
  writer.end();
}

const isBinary = (value: ParameterValue): boolean => typeof value === 'object' && value !== null && 'binary' in value;

function writePieces(writer: Writer, pieces: readonly Uint8Array[]): void {
  let length = 0;
  for (const piece of pieces) length += piece.length;
  writer.int32(length);
  for (const piece of pieces) writer.bytes(piece);
}

export function writeClose(writer: Writer, name: string): void {
  writer.begin(frontend.close);
  writer.byte(0x53);
  writer.cstring(name);
  writer.end();
}
