/** The candles of a symbol for a component: asked anew while somebody looks, and moved by each trade. */
import { useEffect, useMemo, useSyncExternalStore } from 'react';
import { api, bodyOf } from '@/api/client.ts';
import { useLatest } from '@/stream/hooks.ts';
import { type Bar, barsOf, DAY_MS, type Interval, LENGTH, type Timed, touched } from './bars.ts';
import { Candles, type CandleView, MOST_BARS, type Query } from './candles.ts';

/** How often volume and CVD of the running candle are asked for; its price comes with each trade. */
const REFRESH_MS = 2_000;

function asking(symbol: string, interval: Interval) {
  return async ({ from, to, limit }: Query) => {
    const span = { ...(from !== undefined && { from }), ...(to !== undefined && { to }) };
    const query = { symbol, interval, limit, with: 'cvd,vwap', ...span };
    return barsOf((await bodyOf(api.GET('/api/kline', { params: { query } }))).candles);
  };
}

/** The end of the last minute with a trade before an instant: among the minutes of a day, else the day that has one. */
export function tradedBefore(symbol: string): (time: number) => Promise<number | null> {
  const end = async (interval: Interval, to: number) => {
    const last = (await asking(symbol, interval)({ to, limit: MOST_BARS })).at(-1);
    return last === undefined ? null : Math.min(to, last.time + LENGTH[interval]);
  };
  return async (time) => {
    const near = await end('1m', time);
    if (near !== null) return near;
    const day = await end('1d', time - (time % DAY_MS));
    return day === null ? null : end('1m', day);
  };
}

export interface UsedCandles<Row> extends CandleView<Row> {
  /** More to the left. */
  older: () => void;
  /** Ask now. */
  refresh: () => void;
}

/** Asked now and then while somebody looks. */
export function useRunning<Row extends Timed>(candles: Candles<Row>, everyMs: number): UsedCandles<Row> {
  useEffect(() => {
    const refresh = () => {
      if (document.visibilityState === 'visible') void candles.refresh(Date.now());
    };
    refresh();
    const timer = setInterval(refresh, everyMs);
    document.addEventListener('visibilitychange', refresh);
    return () => {
      clearInterval(timer);
      document.removeEventListener('visibilitychange', refresh);
    };
  }, [candles, everyMs]);
  const view = useSyncExternalStore(
    (listener) => candles.listen(listener),
    () => candles.view(),
  );
  return { ...view, older: () => void candles.older(), refresh: () => void candles.refresh(Date.now()) };
}

/** `end`: of the past, up to that instant, and then nothing moves it. */
export function useCandles(symbol: string, interval: Interval, end?: number): UsedCandles<Bar> {
  const candles = useMemo(() => {
    const length = LENGTH[interval];

    return new Candles({ ask: asking(symbol, interval), before: tradedBefore(symbol), length, end });
  }, [symbol, interval, end]);
  const trades = useLatest({ channel: 'trades', symbols: [symbol] });
  useEffect(() => {
    if (end !== undefined) return;
    const newest = [...trades.values()]
      .filter((bar) => bar.symbol === symbol)
      .sort((a, b) => a.last_time_ms - b.last_time_ms)
      .at(-1);
    if (newest === undefined) return;
    candles.move((bars) => touched(bars, Number(newest.close), newest.last_time_ms, LENGTH[interval]));
  }, [trades, candles, symbol, interval, end]);
  return useRunning(candles, REFRESH_MS);
}
