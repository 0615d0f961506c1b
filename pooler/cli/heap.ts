/**
 * V8 takes the more memory for garbage the more the machine has: what ten thousand clients leave behind at once is then kept for long.
 * A program that holds little has no use for it, so from some size on it collects sooner. `npm run bench:clients` measures it.
 */
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8';

const MEGABYTE = 1024 * 1024;
/** Bytes from which new objects get no more room. Half of it stands empty. */
const NEW_OBJECTS = 32 * MEGABYTE;
/** Bytes of old objects from which on they are collected when they have grown by half, not by up to three times. */
const OLD_OBJECTS = 32 * MEGABYTE;
/** Milliseconds. */
const INTERVAL = 250;
/** Options of Node with which somebody has decided already. */
const DECIDED = /--(max-semi-space|max-old-space|max-heap)-size|--heap-growing-percent/;

/** Keeps garbage within bounds from now on, unless the size of the heap has been chosen with options of Node. */
export function boundGarbage(): void {
  if (DECIDED.test([process.env.NODE_OPTIONS, ...process.execArgv].join(' '))) return;
  const growth = flag('--semi-space-growth-factor', 2);
  const sooner = flag('--heap-growing-percent', 0);
  setInterval(() => {
    for (const { space_name, space_size, space_used_size } of getHeapSpaceStatistics()) {
      if (space_name === 'new_space') growth(space_size < NEW_OBJECTS ? 2 : 1);
      else if (space_name === 'old_space') sooner(space_used_size < OLD_OBJECTS ? 0 : 50);
    }
  }, INTERVAL).unref();
}

/** Sets an option of V8 that it reads whenever it collects, where it is another than before. */
function flag(name: string, initial: number): (value: number) => void {
  let current = initial;
  return (value) => {
    if (value === current) return;
    current = value;
    setFlagsFromString(`${name}=${value}`);
  };
}
