/** Candles as arithmetic: from the API's text, merged with what comes, and what is calculated from them. */
import type { Schema } from '@/api/client.ts';
import { toNumber } from '@/format/numbers.ts';

export type Interval = '1s' | '5s' | '15s' | '1m' | '3m' | '5m' | '15m' | '30m' | '1h' | '4h' | '1d';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
export const DAY_MS = 24 * HOUR;

export const LENGTH: Record<Interval, number> = {
  '1s': SECOND,
  '5s': 5 * SECOND,
  '15s': 15 * SECOND,
  '1m': MINUTE,
  '3m': 3 * MINUTE,
  '5m': 5 * MINUTE,
  '15m': 15 * MINUTE,
  '30m': 30 * MINUTE,
  '1h': HOUR,
  '4h': 4 * HOUR,
  '1d': DAY_MS,
};
export const INTERVALS = Object.keys(LENGTH) as Interval[];

/** A candle. `delta`: bought less sold by takers; null where its source does not know. Times in ms. */
export interface Bar {
  time: number;
  open: number;
  high: number;
  low: number;
  close: number;
  volume: number | null;
  delta: number | null;
  vwap: number | null;
}

/** The answer of `/api/kline?with=cvd,vwap`: its CVD begins at nought with the first candle, so that steps are what counts. */
export function barsOf(candles: readonly Schema<'KlineAnswer'>[]): Bar[] {
  let before = 0;
  return candles.map((candle) => {
    const cvd = toNumber(candle.cvd);
    const delta = cvd === null ? null : cvd - before;
    before = cvd ?? before;
    return {
      time: candle.open_time_ms,
      open: Number(candle.open),
      high: Number(candle.high),
      low: Number(candle.low),
      close: Number(candle.close),
      volume: toNumber(candle.volume),
      delta,
      vwap: toNumber(candle.vwap),
    };
  });
}

/** Both in the order of time; of two of the same time, the newer word. */
export function merged(known: readonly Bar[], newer: readonly Bar[]): Bar[] {
  const first = newer[0];
  const last = newer.at(-1);
  if (first === undefined || last === undefined) return [...known];
  const untouched = known.filter((bar) => bar.time < first.time || bar.time > last.time);
  const between = known.filter((bar) => bar.time >= first.time && bar.time <= last.time);
  const byTime = new Map([...between, ...newer].map((bar) => [bar.time, bar]));
  return [...untouched, ...byTime.values()].sort((one, other) => one.time - other.time);
}

/** The last candle with a newer price; its volume comes with the next answer. */
export function touched(bars: readonly Bar[], price: number, at: number, length: number): Bar[] {
  const last = bars.at(-1);
  if (last === undefined || at < last.time) return [...bars];
  if (at < last.time + length) {
    const now = { ...last, close: price, high: Math.max(last.high, price), low: Math.min(last.low, price) };
    return [...bars.slice(0, -1), now];
  }
  const time = Math.floor(at / length) * length;
  const next: Bar = { time, open: price, high: price, low: price, close: price, volume: null, delta: null, vwap: null };
  return [...bars, next];
}

/** Spans between candles in which nothing was traded, or nothing is known: first missing open, and the open after. */
export function silences(bars: readonly Bar[], length: number): (readonly [number, number])[] {
  const found: (readonly [number, number])[] = [];
  for (const [index, bar] of bars.entries()) {
    const before = bars[index - 1];
    if (before !== undefined && bar.time - before.time > length) found.push([before.time + length, bar.time]);
  }
  return found;
}

/** Sums of the deltas from the first candle on. */
export function cvd(bars: readonly Bar[]): number[] {
  let sum = 0;
  return bars.map((bar) => {
    sum += bar.delta ?? 0;
    return sum;
  });
}

export interface Band {
  time: number;
  vwap: number;
  /** One standard deviation of the candles' VWAPs around it, weighted by volume. */
  deviation: number;
}

/** The VWAP of each UTC day so far, with its deviation. A day that begins before the first candle has none: it would be another one's. */
export function bands(bars: readonly Bar[], length: number): Band[] {
  const result: Band[] = [];
  let day = Number.NaN;
  let isWhole = false;
  let sums = { volume: 0, value: 0, squares: 0 };
  for (const bar of bars) {
    const start = Math.floor(bar.time / DAY_MS) * DAY_MS;
    if (start !== day) {
      isWhole = !Number.isNaN(day) || bar.time - start < length;
      day = start;
      sums = { volume: 0, value: 0, squares: 0 };
    }
    if (!isWhole) continue;
    const volume = bar.volume ?? 0;
    const price = bar.vwap ?? bar.close;
    sums.volume += volume;
    sums.value += volume * price;
    sums.squares += volume * price * price;
    if (sums.volume === 0) continue;
    const vwap = sums.value / sums.volume;
    const variance = Math.max(0, sums.squares / sums.volume - vwap * vwap);
    result.push({ time: bar.time, vwap, deviation: Math.sqrt(variance) });
  }
  return result;
}
