/** How old a price is, for cells and cards that dim it. */
import { useVenueClock } from '@/app/desk.ts';
import { useNow } from '@/format/now.ts';
import { oldSince } from '@/stream/freshness.ts';
import { useFreshness } from '@/stream/hooks.ts';

/** Since when a price of that venue time is old; null: it is news, or there is none. */
export function useOldSince(eventMs: number | undefined): number | null {
  const now = useNow();
  const { ahead } = useVenueClock();
  const freshness = useFreshness();
  return eventMs === undefined ? null : oldSince(eventMs, { now, ahead, freshness });
}
