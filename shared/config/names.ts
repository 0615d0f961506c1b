/** Which variables are ours to judge, and what was probably meant by one that is unknown. */
import { parameters, variableOf } from './parameters.ts';

export const APP_SETTINGS_VARIABLE = 'PGRST_APP_SETTINGS_';

/** Parameters of older PostgREST versions: it ignores them, so a deployment may still set them. */
const RETIRED = ['db-use-legacy-gucs', 'jwt-cache-max-lifetime', 'raw-media-types', 'server-proxy-uri'];

/**
 * Kubernetes puts a variable for every port of every service into each container: a service called `edgerest` gives
 * EDGEREST_SERVICE_HOST and EDGEREST_PORT=tcp://…, one called `edgerest-pooler` even EDGEREST_POOLER_PORT.
 */
const SERVICE_LINK = /_SERVICE_(HOST|PORT)(_[A-Z0-9_]+)?$|_PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?$/;
const SERVICE_URL = /^(tcp|udp|sctp):\/\//;

/** Whether a variable comes from Kubernetes and says nothing to us. */
export const isServiceLink = (name: string, value: string): boolean =>
  SERVICE_LINK.test(name) || (name.endsWith('_PORT') && SERVICE_URL.test(value));

/** What the project's own tests and CI are told by. */
const OWN_TOOLS = /^EDGEREST_(TEST|FAULT|CONFORMANCE)(_|$)/;

const knownNames: readonly string[] = Object.values(parameters).flatMap((p) => [p.name, ...p.aliases]);
const knownVariables: ReadonlySet<string> = new Set(knownNames.map(variableOf));
/** Whether a name, or an alias, is in the table. */
export const isParameterName = (name: string): boolean => knownNames.includes(name);
const retiredVariables: ReadonlySet<string> = new Set(RETIRED.map(variableOf));

export type VariableKind = 'foreign' | 'parameter' | 'app setting' | 'retired' | 'unknown';

/** What a variable is to us. */
export function classifyVariable(name: string, value: string): VariableKind {
  if (!name.startsWith('PGRST_') && !name.startsWith('EDGEREST_')) return 'foreign';
  if (isServiceLink(name, value) || OWN_TOOLS.test(name)) return 'foreign';
  if (knownVariables.has(name)) return 'parameter';
  if (name.startsWith(APP_SETTINGS_VARIABLE)) return 'app setting';
  return retiredVariables.has(name) ? 'retired' : 'unknown';
}

/** Levenshtein's distance. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, change));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}

const names: readonly string[] = Object.values(parameters).map((parameter) => parameter.name);

function nearest(name: string, candidates: readonly string[]): string | null {
  const [best] = candidates
    .map((known) => ({ known, distance: distance(name, known) }))
    .sort((a, b) => a.distance - b.distance);
  return best && best.distance <= Math.max(2, name.length / 4) ? best.known : null;
}

/** The known variable nearest to an unknown one, where there is one near enough to be what was meant. */
export const suggestVariable = (name: string): string | null => nearest(name, names.map(variableOf));

/** As suggestVariable, for a name in a file. */
export const suggestName = (name: string): string | null => nearest(name, names);
