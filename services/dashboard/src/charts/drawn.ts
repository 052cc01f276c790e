/** What the API and the stream say, as what is drawn over candles. */
import type { Schema } from '@/api/client.ts';
import { type Quantity, toNumber } from '@/format/numbers.ts';
import type { LivePosition } from '@/trading/positions.ts';
import { levelName } from './axis.ts';
import type { Hole, SignalMark, TradeLine } from './overlay.ts';
import type { Level } from './picture.ts';

/** As much of a signal as a chart needs; stream and API both say it. */
export interface SignalWord {
  event_id: string;
  event_time_ms: number;
  strategy: string;
  direction: string;
  state: string;
  score: number;
  price: string;
}

export function signalMarks(signals: readonly SignalWord[]): SignalMark[] {
  return signals
    .filter((signal) => signal.direction === 'long' || signal.direction === 'short')
    .map((signal) => ({
      id: signal.event_id,
      name: signal.strategy,
      time: signal.event_time_ms,
      price: Number(signal.price),
      isLong: signal.direction === 'long',
      isEmitted: signal.state === 'emitted',
      score: signal.score,
    }));
}

interface Entered {
  trade_id: string;
  entry_time_ms: number | null;
  entry_price: string | null;
  exit_time_ms: number | null;
  exit_price: string | null;
}

/** An open one goes to `now` at `price`; one that was never entered has no line. */
function lineOf(trade: Entered, name: string, price: Quantity, result: Quantity, now: number): TradeLine[] {
  const entry = toNumber(trade.entry_price);
  const isOpen = trade.exit_time_ms === null;
  const exit = toNumber(isOpen ? price : trade.exit_price);
  if (trade.entry_time_ms === null || entry === null || exit === null) return [];
  return [
    {
      id: trade.trade_id,
      name,
      entryTime: trade.entry_time_ms,
      entryPrice: entry,
      exitTime: trade.exit_time_ms ?? now,
      exitPrice: exit,
      result: toNumber(result),
      isOpen,
    },
  ];
}

/** Paper trades that have been entered. */
export function paperLines(trades: readonly Schema<'PaperTradeAnswer'>[], now: number): TradeLine[] {
  return trades.flatMap((trade) => {
    const result = trade.exit_time_ms === null ? trade.unrealised : trade.net;
    return lineOf(trade, `paper ${trade.strategy}`, trade.price, result, now);
  });
}

/** Trades of the account; an open one is worth what the mark price makes of it. */
export function liveLines(trades: readonly Schema<'LiveTradeAnswer'>[], mark: Quantity, now: number): TradeLine[] {
  return trades.flatMap((trade) => {
    const [entry, price, left] = [trade.entry_price, mark, trade.quantity_left].map(toNumber);
    const way = trade.direction === 'long' ? 1 : -1;
    const isKnown = entry != null && price != null && left != null;
    const unrealised = isKnown ? (price - entry) * left * way : null;
    return lineOf(trade, trade.strategy, mark, trade.exit_time_ms === null ? unrealised : trade.pnl_quote, now);
  });
}

/** Gaps whose trades are not here: open ones, and those that stay. */
export function holesOf(gaps: readonly Schema<'GapAnswer'>[]): Hole[] {
  return gaps
    .filter((gap) => gap.outcome === 'open' || gap.outcome === 'lost' || gap.unfilled > 0)
    .map((gap) => ({ from: gap.from_ms, to: gap.to_ms, isLoss: true }));
}

/** Entry, stop and targets of something that is open. */
export interface Held {
  name: string;
  isPaper: boolean;
  entry: string | null;
  stop: string | null;
  targets: readonly (string | null)[];
}

export function paperHeld(position: Schema<'PaperPosition'>): Held {
  const { strategy, entry_price, stop_now, stop_loss, take_profit_1, take_profit_2 } = position;
  const targets = [take_profit_1, take_profit_2];
  return { name: strategy, isPaper: true, entry: entry_price, stop: stop_now ?? stop_loss, targets };
}

export function liveHeld(position: LivePosition): Held {
  const { strategy, entry_price, stop, take_profit_1, take_profit_2 } = position;
  return {
    name: strategy ?? 'account',
    isPaper: false,
    entry: entry_price,
    stop,
    targets: [take_profit_1, take_profit_2],
  };
}

/** Strategies that agree on a level share its line; those of money and those of paper do not. */
export function levelsOf(held: readonly Held[]): Level[] {
  const byPlace = new Map<string, { price: number; what: string; isPaper: boolean; names: string[] }>();
  for (const { name, isPaper, entry, stop, targets } of held) {
    const named = [[entry, 'entry'], [stop, 'stop'], ...targets.map((target, index) => [target, `TP${index + 1}`])];
    for (const [text, what = ''] of named) {
      const price = toNumber(text);
      if (price === null) continue;
      const place = `${isPaper} ${what} ${price}`;
      const known = byPlace.get(place) ?? { price, what: String(what), isPaper, names: [] };
      byPlace.set(place, { ...known, names: [...known.names, name] });
    }
  }
  return [...byPlace.values()].map(({ price, what, isPaper, names }) => ({
    price,
    title: levelName(names, what, isPaper),
    tone: what === 'entry' ? 'accent' : what === 'stop' ? 'down' : 'up',
    isDashed: isPaper || what !== 'entry',
  }));
}
