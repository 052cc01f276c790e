/** Whether what the stream has told is still news, and if not, since when. */
import type { ItemOf, Topic } from './protocol.ts';
import type { StreamState } from './stream.ts';

export interface Freshness {
  isFresh: boolean;
  /** When the last news came, ms; null: none has come yet. Only where it is not fresh. */
  since: number | null;
}

export const STATUS: Topic<'status'> = { channel: 'status' };
export const FRESH: Freshness = { isFresh: true, since: null };

/** What is known of the connection. */
export interface Heard {
  kind: StreamState['kind'];
  isQuiet: boolean;
  /** When anything was heard last, a pong counts; null: never. */
  heardAt: number | null;
  /** When a fact came last. */
  newsAt: number | null;
  /** What the gateway says of itself. */
  status: ItemOf<'status'> | undefined;
}

/** A gateway that does not hear Kafka answers, and has no news. Before the first connection nothing is old yet. */
export function freshnessOf({ kind, isQuiet, heardAt, newsAt, status }: Heard): Freshness {
  if (kind === 'off') return FRESH;
  if (kind === 'lost' || isQuiet) return { isFresh: false, since: heardAt };
  return status?.following === false ? { isFresh: false, since: newsAt } : FRESH;
}

/** Whether the stream's word stands over what REST answered at `askedAt`: not once the stream has ceased before. */
export function isNewer(freshness: Freshness, askedAt: number): boolean {
  return freshness.isFresh || (freshness.since !== null && freshness.since >= askedAt);
}

/** A price says itself how old it is; the venue has a new one each second. */
export const PRICE_LIMIT_MS = 5_000;

interface Clocks {
  /** By this machine. */
  now: number;
  /** Of the venue's clock. */
  ahead: number;
  freshness: Freshness;
}

/** Since when a price is old, by this machine's clock; null: it is news. One symbol may be silent while others go on. */
export function oldSince(eventMs: number, { now, ahead, freshness }: Clocks): number | null {
  const at = eventMs + ahead;
  return freshness.isFresh && now - at <= PRICE_LIMIT_MS ? null : at;
}
