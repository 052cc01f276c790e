/** The newest price of a symbol, for cells that live: only the cell renders when it changes. */
import { useVenueClock } from '@/app/desk.ts';
import { useNow } from '@/format/now.ts';
import { oldSince } from '@/stream/freshness.ts';
import { useFreshness, useOne } from '@/stream/hooks.ts';

const MINUTE_MS = 60_000;

/** The venue's mark price, which what is unrealised is counted by. */
export function useMark(symbol: string): string | null {
  return useOne({ channel: 'prices' }, symbol)?.mark_price ?? null;
}

/** Since when a price of that venue time is old; null: it is news, or there is none. */
export function useOldSince(eventMs: number | undefined): number | null {
  const now = useNow();
  const { ahead } = useVenueClock();
  const freshness = useFreshness();
  return eventMs === undefined ? null : oldSince(eventMs, { now, ahead, freshness });
}

/** The last trade's price, of the minute that runs or the one before. */
export function useLastPrice(symbol: string): string | null {
  const minute = Math.floor(useNow() / MINUTE_MS) * MINUTE_MS;
  const running = useOne({ channel: 'trades' }, `${symbol}:${minute}`);
  const before = useOne({ channel: 'trades' }, `${symbol}:${minute - MINUTE_MS}`);
  return running?.close ?? before?.close ?? null;
}
