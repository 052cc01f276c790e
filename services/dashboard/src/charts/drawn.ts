/** What the API and the stream say, as what is drawn over candles. */
import type { Schema } from '@/api/client.ts';
import { toNumber } from '@/format/numbers.ts';
import type { Hole, SignalMark, TradeLine } from './overlay.ts';
import type { Level } from './picture.ts';

/** As much of a signal as a chart needs; stream and API both say it. */
export interface SignalWord {
  event_id: string;
  event_time_ms: number;
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
      time: signal.event_time_ms,
      price: Number(signal.price),
      isLong: signal.direction === 'long',
      isEmitted: signal.state === 'emitted',
      score: signal.score,
    }));
}

/** Paper trades that have been entered; `now`: where an open one ends. */
export function tradeLines(trades: readonly Schema<'PaperTradeAnswer'>[], now: number): TradeLine[] {
  return trades.flatMap((trade) => {
    const entry = toNumber(trade.entry_price);
    const exit = toNumber(trade.exit_price) ?? toNumber(trade.price);
    if (trade.entry_time_ms === null || entry === null || exit === null) return [];
    const isOpen = trade.exit_time_ms === null;
    return [
      {
        id: trade.trade_id,
        entryTime: trade.entry_time_ms,
        entryPrice: entry,
        exitTime: trade.exit_time_ms ?? now,
        exitPrice: exit,
        result: (isOpen ? toNumber(trade.unrealised) : toNumber(trade.net)) ?? 0,
        isOpen,
      },
    ];
  });
}

/** Gaps whose trades are not here: open ones, and those that stay. */
export function holesOf(gaps: readonly Schema<'GapAnswer'>[]): Hole[] {
  return gaps
    .filter((gap) => gap.outcome === 'open' || gap.outcome === 'lost')
    .map((gap) => ({ from: gap.from_ms, to: gap.to_ms, isLoss: true }));
}

/** Entry, stop and targets of what is open; strategies that agree on a level share its line. */
export function levelsOf(positions: readonly Schema<'PaperPosition'>[]): Level[] {
  const byPlace = new Map<string, Level & { strategies: string[]; name: string }>();
  for (const position of positions) {
    const named: [string | null, string, Level['tone']][] = [
      [position.entry_price, 'entry', 'accent'],
      [position.stop_now ?? position.stop_loss, 'stop', 'down'],
      [position.take_profit_1, 'TP1', 'up'],
      [position.take_profit_2, 'TP2', 'up'],
    ];
    for (const [text, name, tone] of named) {
      const price = toNumber(text);
      if (price === null) continue;
      const place = `${name} ${price}`;
      const strategies = [...(byPlace.get(place)?.strategies ?? []), position.strategy];
      const title = `${strategies.join(' ')} ${name}`;
      byPlace.set(place, { price, title, tone, isDashed: name !== 'entry', strategies, name });
    }
  }
  return [...byPlace.values()].map(({ price, title, tone, isDashed }) => ({
    price,
    title,
    tone,
    isDashed: isDashed === true,
  }));
}
