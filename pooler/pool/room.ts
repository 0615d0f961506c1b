/** So many times what is then left of the queue may be one's own: alone four fifths of it, beside another one four ninths. */
const part = 4;

/** Who waits already. */
export interface Crowd {
  /** How many more may wait, of whomever. */
  readonly free: number;
  /** How many wait at the same door; null where there is only one. */
  readonly ofDoor: number | null;
  /** How many of them are of the same key, or the same user's. */
  readonly ofKey: number;
}

/** Whether one more may wait: a door leaves room to the other one, and in it a key to other keys. */
export function hasRoom({ free, ofDoor, ofKey }: Crowd): boolean {
  // What the door may still have, when what it takes is no longer free.
  const left = ofDoor === null ? free : (part * free - ofDoor) / (part + 1);
  return left > 0 && ofKey < part * left;
}
