/** Positions of an account: what REST told, what the stream has told since, and what they are worth at the newest mark price. */
import type { Schema } from '@/api/client.ts';
import { toNumber } from '@/format/numbers.ts';
import type { LiveTrade, Position as Told } from '@/stream/protocol.ts';

export type LivePosition = Schema<'LivePosition'>;

/** `asked` with what is newer: `told` of the venue, `held` of the executor (stops, targets, state). Flat ones are left out. */
export function merged(
  asked: readonly LivePosition[],
  told: Iterable<Told>,
  held: readonly LiveTrade[],
  account: string | null,
): LivePosition[] {
  const rows = new Map(asked.map((row) => [row.symbol, row]));
  for (const each of told) {
    if (each.account !== account) continue;
    const row = rows.get(each.symbol);
    if (row !== undefined && row.told_at_ms > each.event_time_ms) continue;
    rows.set(each.symbol, { ...(row ?? unknownTo(each)), ...newer(each) });
  }
  for (const trade of held) {
    const row = rows.get(trade.symbol);
    if (row === undefined || trade.account !== account) continue;
    rows.set(trade.symbol, { ...row, ...ofTrade(trade) });
  }
  const open = [...rows.values()].filter((row) => toNumber(row.quantity) !== 0);
  return open.sort((one, other) => (one.symbol < other.symbol ? -1 : 1));
}

function newer(each: Told) {
  const { quantity, entry_price, mark_price, unrealised, event_time_ms } = each;
  return { quantity, entry_price, mark_price, unrealised, protected: each.protected, told_at_ms: event_time_ms };
}

function unknownTo(each: Told): LivePosition {
  const nothing = { trade_id: null, strategy: null, state: null, stop: null, take_profit_1: null, take_profit_2: null };
  const { account, symbol } = each;
  return { account, symbol, ...newer(each), ...nothing, initial_risk: null, unrealised_r: null, hold_until_ms: null };
}

function ofTrade(trade: LiveTrade) {
  const { trade_id, strategy, state, stop, take_profit_1, take_profit_2, hold_until_ms } = trade;
  return { trade_id, strategy, state, stop, take_profit_1, take_profit_2, hold_until_ms };
}

/** Whether it gains when the price rises. */
export function sideOf(quantity: string): 'long' | 'short' | null {
  const number = toNumber(quantity);
  return number === null || number === 0 ? null : number > 0 ? 'long' : 'short';
}

/** Which position somebody means to do something to: of a symbol, and of one trade where that is known. */
export interface Meant {
  symbol: string;
  tradeId: string | null;
}

/** Why the position that is meant is not held any more; null: it is. */
export function whyGone(rows: readonly LivePosition[], { symbol, tradeId }: Meant): string | null {
  const row = rows.find((each) => each.symbol === symbol);
  if (row === undefined) return `the position in ${symbol} is gone`;
  if (tradeId !== null && row.trade_id !== null && row.trade_id !== tradeId) {
    return `the position in ${symbol} that you meant is gone: what is held there now is another trade`;
  }
  return null;
}

export interface Worth {
  price: number | null;
  unrealised: number | null;
  r: number | null;
}

/** What it has made so far at a price; where the price or the entry is not known, what was told last. */
export function worthAt(row: LivePosition, mark: string | null | undefined): Worth {
  const price = toNumber(mark ?? row.mark_price);
  const entry = toNumber(row.entry_price);
  const quantity = toNumber(row.quantity);
  const known = price !== null && entry !== null && quantity !== null;
  const unrealised = known ? (price - entry) * quantity : toNumber(row.unrealised);
  const risk = toNumber(row.initial_risk);
  return { price, unrealised, r: unrealised === null || risk === null || risk === 0 ? null : unrealised / risk };
}

/** How far a level is from the price, as a share of it; above 0: it lies higher. */
export function distance(level: string | null | undefined, price: number | null): number | null {
  const at = toNumber(level);
  return at === null || price === null || price === 0 ? null : (at - price) / price;
}

/** Where the price stands between stop (0) and the next target (1); beyond them at the ends, null where one is not known. */
export function placeBetween(stop: string | null, target: string | null, price: number | null): number | null {
  const [low, high] = [toNumber(stop), toNumber(target)];
  if (low === null || high === null || price === null || low === high) return null;
  return Math.min(1, Math.max(0, (price - low) / (high - low)));
}

/** What moving the stop there does to the loss at the stop, in quote units; null: a figure is missing. */
export function lossAtStop(row: LivePosition, stop: string | null): number | null {
  const [entry, quantity, level] = [toNumber(row.entry_price), toNumber(row.quantity), toNumber(stop)];
  return entry === null || quantity === null || level === null ? null : (level - entry) * quantity;
}
