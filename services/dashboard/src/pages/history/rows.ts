/** What REST and stream know of each symbol's funding, as one row. */
import { useQuery } from '@tanstack/react-query';
import { useMemo } from 'react';
import { useSymbols } from '@/parts/SymbolChoice.tsx';
import { useLatest } from '@/stream/hooks.ts';
import { askWeek, askYear, intervalHours, MOST_LINES, type Settlement } from './funding.ts';

export interface FundingRow {
  symbol: string;
  /** Its place among the lines; null: there are more symbols than lines. */
  colour: number | null;
  estimate: string | null;
  nextMs: number | null;
  intervalHours: number | null;
  latest: string | null;
  mean: string | null;
  total: string | null;
  lowest: string | null;
  highest: string | null;
  positive: number | null;
  annualWeek: string | null;
  annualYear: string | null;
}

/** A cell's value as decimal text, or null for what is not known. */
export function decimal(value: FundingRow[keyof FundingRow]): string | null {
  return value === null ? null : String(value);
}

export function useFundingRows(settled: readonly Settlement[]): FundingRow[] {
  const symbols = useSymbols();
  const week = useQuery(askWeek).data;
  const year = useQuery(askYear).data;
  const prices = useLatest({ channel: 'prices' });
  return useMemo(
    () =>
      symbols.map((symbol, index) => {
        const sums = week?.symbols.find((each) => each.symbol === symbol);
        const ofYear = year?.symbols.find((each) => each.symbol === symbol);
        const price = prices.get(symbol);
        return {
          symbol,
          colour: index < MOST_LINES ? index : null,
          estimate: price?.funding_rate ?? null,
          nextMs: price?.next_funding_time_ms ?? null,
          intervalHours: intervalHours(settled, symbol),
          latest: sums?.latest ?? null,
          mean: sums?.mean ?? null,
          total: sums?.total ?? null,
          lowest: sums?.lowest ?? null,
          highest: sums?.highest ?? null,
          positive: sums === undefined ? null : sums.positive / sums.settlements,
          annualWeek: sums?.annualised ?? null,
          annualYear: ofYear?.annualised ?? null,
        };
      }),
    [symbols, week, year, prices, settled],
  );
}
