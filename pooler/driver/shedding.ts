/** Somebody for whom bytes are kept. */
export interface Keeper {
  /** Whose they are counted as. */
  readonly user: string;
  /** Bytes that it has not taken, or that have arrived from it and are not done with. */
  readonly kept: number;
  cut(): void;
}

/** A user's. */
interface Pile {
  bytes: number;
  /** The one with most of it last. */
  readonly keepers: Keeper[];
}

/** Cuts one after another until no more than so many bytes are kept: each time of the user with most of it, and of his, the one with most. */
export function shed(keepers: Iterable<Keeper>, limit: number): void {
  const piles = new Map<string, Pile>();
  let total = 0;
  for (const keeper of keepers) {
    const pile = piles.get(keeper.user) ?? { bytes: 0, keepers: [] };
    piles.set(keeper.user, pile);
    pile.bytes += keeper.kept;
    pile.keepers.push(keeper);
    total += keeper.kept;
  }
  if (total <= limit) return;
  const all = [...piles.values()];
  for (const { keepers } of all) keepers.sort((one, other) => one.kept - other.kept);
  while (total > limit) {
    const largest = all.reduce((most, pile) => (pile.bytes > most.bytes ? pile : most));
    const keeper = largest.keepers.pop();
    if (keeper === undefined) return;
    largest.bytes -= keeper.kept;
    total -= keeper.kept;
    keeper.cut();
  }
}
