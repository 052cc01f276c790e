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

/** What has a place in time, ms. */
export interface Timed {
  time: number;
}

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

/** Whether both say the same. */
function isSame<Row extends object>(one: Row, other: Row | undefined): boolean {
  if (other === undefined) return false;
  const names = Object.keys(one) as (keyof Row)[];
  return names.every((name) => one[name] === other[name]);
}

/** Both in the order of time; of two of the same time, the newer word. What has not changed stays the same object, and so does the list. */
export function merged<Row extends Timed>(known: readonly Row[], newer: readonly Row[]): readonly Row[] {
  const first = newer[0];
  const last = newer.at(-1);
  if (first === undefined || last === undefined) return known;
  const from = placeOf(known, first.time);
  const to = placeOf(known, last.time + 1);
  const byTime = new Map(known.slice(from, to).map((row) => [row.time, row]));
  let isNews = false;
  for (const row of newer) {
    const before = byTime.get(row.time);
    if (isSame(row, before)) continue;
    byTime.set(row.time, row);
    isNews = true;
  }
  if (!isNews) return known;
  const between = [...byTime.values()].sort((one, other) => one.time - other.time);
  return [...known.slice(0, from), ...between, ...known.slice(to)];
}

/** How many are before that time: where it stands or would stand. */
export function placeOf(rows: readonly Timed[], time: number): number {
  let [low, high] = [0, rows.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((rows[middle]?.time ?? 0) < time) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** From where on the second list differs, if it only goes on or changes values; null: its times are others, and all is drawn anew. */
export function changedFrom(before: readonly Timed[], after: readonly Timed[]): number | null {
  if (before.length === 0 || after.length < before.length) return null;
  let from = before.length;
  for (let place = before.length - 1; place >= 0; place -= 1) {
    if (before[place] === after[place]) continue;
    if (before[place]?.time !== after[place]?.time) return null;
    from = place;
  }
  return from;
}

/** The last candle with a newer price; its volume comes with the next answer. */
export function touched(bars: readonly Bar[], price: number, at: number, length: number): readonly Bar[] {
  const last = bars.at(-1);
  if (last === undefined || at < last.time) return bars;
  if (at < last.time + length) {
    const now = { ...last, close: price, high: Math.max(last.high, price), low: Math.min(last.low, price) };
    return isSame(now, last) ? bars : [...bars.slice(0, -1), now];
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

/** Times of candles within these spans, at most so many: the newest. Oldest first. */
export function emptyTimes(spans: readonly (readonly [number, number])[], length: number, most: number): number[] {
  const times: number[] = [];
  for (const [from, to] of [...spans].reverse()) {
    for (let time = to - length; time >= from && times.length < most; time -= length) times.push(time);
  }
  return times.reverse();
}

/** Sums of the deltas from the first candle on; null at a candle whose delta nobody knows. */
export function cvd(bars: readonly Bar[]): (number | null)[] {
  let sum = 0;
  return bars.map(({ delta }) => {
    sum += delta ?? 0;
    return delta === null ? null : sum;
  });
}
