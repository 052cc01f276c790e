/** Candles as rows. */
import { queryOptions } from '@tanstack/react-query';
import { api, bodyOf, type Schema } from '@/api/client.ts';
import type { Interval } from '@/charts/bars.ts';
import { toNumber } from '@/format/numbers.ts';

export type Candle = Schema<'KlineAnswer'>;
export type Source = Schema<'Candles'>['source'];

const ROWS = 300;
const REFRESH_MS = 5_000;

export function askCandles(symbol: string, interval: Interval, source: Source) {
  return queryOptions({
    queryKey: ['kline', symbol, interval, source],
    queryFn: ({ signal }) => {
      const query = { symbol, interval, source, limit: ROWS, ...(source === 'rates' ? {} : { with: 'cvd,vwap' }) };
      return bodyOf(api.GET('/api/kline', { params: { query }, signal }));
    },
    refetchInterval: REFRESH_MS,
  });
}

export function csvOf(symbol: string, interval: Interval, source: Source): string {
  const query = new URLSearchParams({ symbol, interval, source, limit: '1500', format: 'csv' });
  return `/api/kline?${query}`;
}

/** Close against open, a share. */
export function changeOf(candle: Candle): number | null {
  const open = toNumber(candle.open);
  const close = toNumber(candle.close);
  return open === null || close === null || open === 0 ? null : (close - open) / open;
}
