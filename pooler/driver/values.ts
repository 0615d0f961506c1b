/** Values of PostgreSQL as JSON, for clients that do not want them as text. */
import { arrayToJson } from './array-literal.ts';

type ToJson = (text: string) => string;

const asText: ToJson = JSON.stringify;
/** JSON, and what reads the same in it. */
const asItIs: ToJson = (text) => text;
const asBoolean: ToJson = (text) => (text === 't' ? 'true' : 'false');
/** NaN and the infinities are no JSON: they stay texts. */
const asNumber: ToJson = (text) => (/\d$/.test(text) ? text : JSON.stringify(text));

/** By the type's OID. int8 and numeric stay texts, since JavaScript would round them. */
const SCALARS: ReadonlyMap<number, ToJson> = new Map([
  [16, asBoolean],
  [21, asItIs], // int2
  [23, asItIs], // int4
  [700, asNumber], // float4
  [701, asNumber], // float8
  [114, asItIs], // json
  [3802, asItIs], // jsonb
]);

const ARRAYS_OF_TEXT = `
  143 271 629 651 719 775 791 1001 1002 1003 1006 1008 1009 1010 1011 1012 1013 1014 1015 1016 1017 1018 1019 1027 1028
  1034 1040 1041 1115 1182 1183 1185 1187 1231 1263 1270 1561 1563 2201 2287 2207 2208 2209 2210 2211 2949 2951 3221 3643 3644 3645
  3735 3770 3905 3907 3909 3911 3913 3927 4073 4090 4097 4192 5039 6150 6151 6152 6153 6155 6157`;

const arrayOf =
  (element: ToJson, delimiter?: string): ToJson =>
  (text) =>
    arrayToJson(text, element, delimiter);

/** Of PostgreSQL's own types. Arrays of other types stay text: only the catalog knows them. */
const ARRAYS: ReadonlyMap<number, ToJson> = new Map([
  ...ARRAYS_OF_TEXT.trim()
    .split(/\s+/)
    .map((oid) => [Number(oid), arrayOf(asText)] as const),
  [1000, arrayOf(asBoolean)],
  [1005, arrayOf(asItIs)], // int2
  [1007, arrayOf(asItIs)], // int4
  [1021, arrayOf(asNumber)], // float4
  [1022, arrayOf(asNumber)], // float8
  [199, arrayOf(asItIs)], // json
  [3807, arrayOf(asItIs)], // jsonb
  [1020, arrayOf(asText, ';')], // box
]);

/** How values of a type are written as JSON. */
export const jsonOf = (typeOid: number): ToJson => SCALARS.get(typeOid) ?? ARRAYS.get(typeOid) ?? asText;

/** The array types that are taken apart. */
export const arrayTypes: ReadonlySet<number> = new Set(ARRAYS.keys());
