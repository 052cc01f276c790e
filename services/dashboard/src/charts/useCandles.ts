/** The candles of a symbol for a component: asked anew while somebody looks, and moved by each trade. */
import { useEffect, useMemo, useSyncExternalStore } from 'react';
import { api, bodyOf } from '@/api/client.ts';
import { useLatest } from '@/stream/hooks.ts';
import { barsOf, type Interval, LENGTH } from './bars.ts';
import { Candles, type CandleView, type Query } from './candles.ts';

/** How often volume and CVD of the running candle are asked for; its price comes with each trade. */
const REFRESH_MS = 2_000;

function asking(symbol: string, interval: Interval) {
  return async ({ from, to, limit }: Query) => {
    const query = { symbol, interval, limit, with: 'cvd,vwap', from: from ?? null, to: to ?? null };
    const given = Object.fromEntries(Object.entries(query).filter(([, value]) => value !== null)) as typeof query;
    return barsOf((await bodyOf(api.GET('/api/kline', { params: { query: given } }))).candles);
  };
}

export interface UsedCandles extends CandleView {
  /** More to the left. */
  older: () => void;
}

export function useCandles(symbol: string, interval: Interval): UsedCandles {
  const candles = useMemo(
    () => new Candles({ ask: asking(symbol, interval), length: LENGTH[interval] }),
    [symbol, interval],
  );
  useEffect(() => {
    const refresh = () => {
      if (document.visibilityState === 'visible') void candles.refresh(Date.now());
    };
    refresh();
    const timer = setInterval(refresh, REFRESH_MS);
    document.addEventListener('visibilitychange', refresh);
    return () => {
      clearInterval(timer);
      document.removeEventListener('visibilitychange', refresh);
    };
  }, [candles]);
  const trades = useLatest({ channel: 'trades', symbols: [symbol] });
  useEffect(() => {
    const newest = [...trades.values()]
      .filter((bar) => bar.symbol === symbol)
      .sort((a, b) => a.last_time_ms - b.last_time_ms)
      .at(-1);
    if (newest !== undefined) candles.touch(Number(newest.close), newest.last_time_ms);
  }, [trades, candles, symbol]);
  const view = useSyncExternalStore(
    (listener) => candles.listen(listener),
    () => candles.view(),
  );
  return { ...view, older: () => void candles.older() };
}
