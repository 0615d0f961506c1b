#!/usr/bin/env node
/** The program that is installed. It imports nothing at first, so that a Node too old for the rest says so instead of failing. */

const { node } = process.versions;
const [major = 0, minor = 0] = node.split('.').map(Number);
if (major < 22 || (major === 22 && minor < 12)) {
  console.error(`edgerest: this is Node ${node}, and 22.12 or later is needed: https://nodejs.org/en/download`);
  process.exit(1);
}
await import('./main.ts');
