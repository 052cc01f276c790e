/** Forced orders of REST and of the stream, as one list. */
import type { Schema } from '@/api/client.ts';
import { decimalsOf } from '@/format/numbers.ts';
import type { ItemOf } from '@/stream/protocol.ts';

const MOST = 200;

export interface Forced {
  event_id: string;
  time_ms: number;
  liquidated: 'long' | 'short';
  notional: number;
  price: string;
  decimals: number;
}

/** Newest first, each once. */
export function forcedOrders(
  asked: readonly Schema<'ForcedOrderAnswer'>[],
  live: readonly ItemOf<'liquidations'>[],
  symbol: string | null,
): Forced[] {
  const byId = new Map<string, Forced>();
  for (const { event_id, trade_time_ms, liquidated, notional, average_price, symbol: of } of [...asked, ...live]) {
    if (of !== symbol || byId.has(event_id)) continue;
    byId.set(event_id, {
      event_id,
      time_ms: trade_time_ms,
      liquidated,
      notional: Number(notional),
      price: average_price,
      decimals: decimalsOf(average_price),
    });
  }
  return [...byId.values()].sort((one, other) => other.time_ms - one.time_ms).slice(0, MOST);
}
