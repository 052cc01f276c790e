/** Everything that is known of one time, in words: the candle, what is summed up, and what is drawn there. */
import { fixed, short, signed } from '@/format/numbers.ts';
import { clock, duration, type Zone } from '@/format/time.ts';
import type { Drawn, Hole } from './overlay.ts';
import type { PointedAt } from './picture.ts';

export interface Writing {
  decimals: number;
  /** Of a candle, ms. */
  length: number;
  zone: Zone;
}

export type Fact = readonly [name: string, text: string];

/** The candle's figures and what they sum up to. */
export function factsOf({ bar, cvd, band }: PointedAt, { decimals, length, zone }: Writing): Fact[] {
  const price = (value: number | null | undefined) => fixed(value, decimals);
  const since = band && clock(band.since, zone).slice(0, length < 60_000 ? 8 : 5);
  const around = (deviations: number) =>
    band === null
      ? price(null)
      : `${price(band.vwap - deviations * band.deviation)} … ${price(band.vwap + deviations * band.deviation)}`;
  return [
    ['O', price(bar?.open)],
    ['H', price(bar?.high)],
    ['L', price(bar?.low)],
    ['C', price(bar?.close)],
    ['volume', short(bar?.volume)],
    ['delta', signed(bar?.delta, 3)],
    ['CVD', short(cvd, true)],
    [since === null ? 'VWAP' : `VWAP since ${since}`, price(band?.vwap)],
    // No sigma: it would bring the Greek part of the font with it.
    ['±1 SD', around(1)],
    ['±2 SD', around(2)],
  ];
}

export interface Happening {
  id: string;
  tone: 'up' | 'down' | 'degraded' | 'dim';
  text: string;
}

/** So many of a kind are written out; a day's candle has hundreds. */
const MOST_WRITTEN = 5;

function cut(all: Happening[], what: string): Happening[] {
  if (all.length <= MOST_WRITTEN) return all;
  const more = all.length - MOST_WRITTEN;
  return [...all.slice(0, MOST_WRITTEN), { id: `more ${what}`, tone: 'dim', text: `and ${more} more ${what}` }];
}

function wordsOf(hole: Hole): string {
  const lasted = duration(hole.to - hole.from);
  return hole.isLoss ? `trades are missing (a gap of ${lasted})` : `no trade for ${lasted}`;
}

/** Signals, trades and holes of the candle that begins at a time. */
export function happeningsAt(time: number, drawn: Drawn, length: number): Happening[] {
  const end = time + length;
  const holes = drawn.holes
    .filter(({ from, to }) => from < end && to > time)
    .map((hole): Happening => ({ id: `hole ${hole.from}`, tone: 'degraded', text: `▨ ${wordsOf(hole)}` }));
  const signals = drawn.signals
    .filter((signal) => signal.time >= time && signal.time < end)
    // Those that led to something first.
    .sort((one, other) => Number(other.isEmitted) - Number(one.isEmitted))
    .map((signal): Happening => {
      const shape = signal.isLong ? (signal.isEmitted ? '▲' : '△') : signal.isEmitted ? '▼' : '▽';
      const side = signal.isLong ? 'long' : 'short';
      const outcome = signal.isEmitted ? 'emitted' : 'refused';
      const text = `${shape} ${signal.name} ${side}, score ${fixed(signal.score, 0)}, ${outcome}`;
      return { id: signal.id, tone: signal.isLong ? 'up' : 'down', text };
    });
  const trades = drawn.trades
    .filter((trade) => trade.entryTime < end && trade.exitTime >= time)
    .map((trade): Happening => {
      const tone = trade.result === null ? 'dim' : trade.result >= 0 ? 'up' : 'down';
      const state = trade.isOpen ? 'open' : 'closed';
      return { id: trade.id, tone, text: `─ ${trade.name} ${state}, ${signed(trade.result, 2)} USDT` };
    });
  return [...cut(holes, 'holes'), ...cut(signals, 'signals'), ...cut(trades, 'trades')];
}
