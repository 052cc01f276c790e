/** The newest price of a symbol, for cells that live: only the cell renders when it changes. */
import { useNow } from '@/format/now.ts';
import { useLatest, useOne } from '@/stream/hooks.ts';

const MINUTE_MS = 60_000;

/** The venue's mark price, which what is unrealised is counted by. */
export function useMark(symbol: string): string | null {
  return useOne({ channel: 'prices' }, symbol)?.mark_price ?? null;
}

/** The last trade's price, of the minute that runs or the one before. */
export function useLastPrice(symbol: string): string | null {
  const minute = Math.floor(useNow() / MINUTE_MS) * MINUTE_MS;
  const running = useOne({ channel: 'trades' }, `${symbol}:${minute}`);
  const before = useOne({ channel: 'trades' }, `${symbol}:${minute - MINUTE_MS}`);
  return running?.close ?? before?.close ?? null;
}

/** The same of any symbol, for sums. */
export function useLastPrices(): (symbol: string) => string | null {
  const minute = Math.floor(useNow() / MINUTE_MS) * MINUTE_MS;
  const bars = useLatest({ channel: 'trades' });
  return (symbol) => (bars.get(`${symbol}:${minute}`) ?? bars.get(`${symbol}:${minute - MINUTE_MS}`))?.close ?? null;
}
