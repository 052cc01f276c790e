/** What a paper position is worth at the newest trade. */
import { toNumber } from '@/format/numbers.ts';
import type { PaperPosition } from './paperPositions.ts';

export interface Worth {
  price: number | null;
  unrealised: number | null;
  r: number | null;
}

/** At `last`, or as it was told where that or the entry is not known. */
export function worthOf(row: PaperPosition, last: string | null): Worth {
  const price = toNumber(last ?? row.price);
  const [entry, left, risk] = [toNumber(row.entry_price), toNumber(row.quantity_left), toNumber(row.risk)];
  const sign = row.direction === 'long' ? 1 : row.direction === 'short' ? -1 : null;
  const known = price !== null && entry !== null && left !== null && sign !== null;
  const unrealised = known ? (price - entry) * left * sign : toNumber(row.unrealised);
  const r = unrealised === null || risk === null || risk === 0 ? (row.unrealised_r ?? null) : unrealised / risk;
  return { price, unrealised, r };
}

/**
 * What open trades have made so far, what they have realised by parts included, in quote units and R, at the newest prices; null
 * where one of them cannot tell. What is only ordered has made nothing.
 */
export function madeByOpen(
  rows: readonly PaperPosition[],
  lastOf: (symbol: string) => string | null,
): { quote: number | null; r: number | null } {
  let quote: number | null = 0;
  let r: number | null = 0;
  for (const row of rows) {
    if (row.state !== 'open') continue;
    const { unrealised } = worthOf(row, lastOf(row.symbol));
    const [realised, risk] = [toNumber(row.net), toNumber(row.risk)];
    const made: number | null = unrealised === null || realised === null ? null : unrealised + realised;
    quote = quote === null || made === null ? null : quote + made;
    r = r === null || made === null || risk === null || risk === 0 ? null : r + made / risk;
  }
  return { quote, r };
}

/** The target that is next: the first while all of it is open. */
export function nextTarget(row: PaperPosition): string | null {
  const isReduced = toNumber(row.quantity) !== toNumber(row.quantity_left);
  return isReduced ? (row.take_profit_2 ?? row.take_profit_1) : (row.take_profit_1 ?? row.take_profit_2);
}
