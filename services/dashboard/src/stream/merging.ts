/** What REST knew before, and what the stream has told since, as one list. */

/** Newest first, each id once; the stream's word counts where both have one. */
export function newestFirst<T extends { event_id: string; event_time_ms: number }>(
  asked: readonly T[],
  live: readonly T[],
  most: number,
): T[] {
  const byId = new Map([...asked, ...live].map((each) => [each.event_id, each]));
  const order = (one: T, other: T) =>
    other.event_time_ms - one.event_time_ms || (one.event_id < other.event_id ? 1 : -1);
  return [...byId.values()].sort(order).slice(0, most);
}

/** Of two words about the same thing, the newer one. */
export function newerOf<A extends { event_time_ms: number }, B extends { event_time_ms: number }>(
  live: A | undefined,
  asked: B | undefined,
): A | B | undefined {
  if (live === undefined || asked === undefined) return live ?? asked;
  return asked.event_time_ms > live.event_time_ms ? asked : live;
}
