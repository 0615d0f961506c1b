/** W3C Trace Context, 3.2: `version-traceid-parentid-flags`, where later versions may have more at the end. */
const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?<more>-.{0,100})?$/;

/** Whether a `traceparent` header can be passed on. */
export function isTraceparent(value: string): boolean {
  const match = TRACEPARENT.exec(value);
  return match !== null && (match.groups?.more === undefined || !value.startsWith('00'));
}
