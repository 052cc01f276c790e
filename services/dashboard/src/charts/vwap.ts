/** The VWAP of each UTC day with its deviation, candle by candle, so that the newest one costs one step. */
import { type Bar, DAY_MS } from './bars.ts';

export interface Band {
  time: number;
  vwap: number;
  /** One standard deviation of the candles' VWAPs around it, weighted by volume. */
  deviation: number;
  /** Open time of the first candle of the day that is known: what it is the VWAP since. */
  since: number;
}

/** What a day has come to so far. */
export interface Day {
  start: number;
  since: number;
  volume: number;
  value: number;
  squares: number;
}

export const NO_DAY: Day = { start: Number.NaN, since: 0, volume: 0, value: 0, squares: 0 };

/** With one candle more. One of unknown volume weighs nothing. */
export function grown(day: Day, bar: Bar): Day {
  const start = Math.floor(bar.time / DAY_MS) * DAY_MS;
  const so = start === day.start ? day : { ...NO_DAY, start, since: bar.time };
  const volume = bar.volume ?? 0;
  const price = bar.vwap ?? bar.close;
  return {
    ...so,
    volume: so.volume + volume,
    value: so.value + volume * price,
    squares: so.squares + volume * price * price,
  };
}

/** Where it stands at a candle; null while nothing is known to have been traded. */
export function bandOf({ volume, value, squares, since }: Day, time: number): Band | null {
  if (volume === 0) return null;
  const vwap = value / volume;
  return { time, vwap, deviation: Math.sqrt(Math.max(0, squares / volume - vwap * vwap)), since };
}

/** At each candle. */
export function bands(bars: readonly Bar[]): (Band | null)[] {
  let day = NO_DAY;
  return bars.map((bar) => {
    day = grown(day, bar);
    return bandOf(day, bar.time);
  });
}
