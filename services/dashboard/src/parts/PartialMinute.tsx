/** Says so where the live minute of a symbol is not all that was traded in it. */
import { useNow } from '@/format/now.ts';
import { useOne } from '@/stream/hooks.ts';
import { Mark } from './Mark.tsx';

const MINUTE_MS = 60_000;

export function PartialMinute({ symbol }: { symbol: string }) {
  const minute = Math.floor(useNow() / MINUTE_MS) * MINUTE_MS;
  const isPartial = useOne({ channel: 'trades', symbols: [symbol] }, `${symbol}:${minute}`)?.partial === true;
  if (!isPartial) return null;
  return (
    <Mark
      tone="degraded"
      title="The gateway has not heard every trade of this minute; its candle comes from the record"
    >
      live minute partial
    </Mark>
  );
}
