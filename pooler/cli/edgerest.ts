#!/usr/bin/env node
/** The program that is installed. It imports nothing at first, so that a runtime that is none for the rest says so instead of failing. */

const { node, bun, deno } = process.versions;
const other = bun === undefined ? deno && `Deno ${deno}` : `Bun ${bun}`;
if (other !== undefined) {
  // Their node:http and node:net are others: there nobody has tried what becomes of faults, floods and a drain.
  console.error(
    `edgerest: this is ${other}, and the pooler runs on Node: start it by \`node node_modules/.bin/edgerest\`. The worker runs on either.`,
  );
  process.exit(1);
}
const [major = 0, minor = 0] = node.split('.').map(Number);
if (major < 22 || (major === 22 && minor < 12)) {
  console.error(`edgerest: this is Node ${node}, and 22.12 or later is needed: https://nodejs.org/en/download`);
  process.exit(1);
}
await import('./main.ts');
