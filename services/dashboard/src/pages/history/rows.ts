/** What REST and stream know of each symbol's funding, as one row. */
import { useQuery } from '@tanstack/react-query';
import { useMemo } from 'react';
import { useSymbols } from '@/parts/SymbolChoice.tsx';
import { useLatest } from '@/stream/hooks.ts';
import { askWeek, askYear, intervalsOf, type Settlement } from './funding.ts';

export interface FundingRow {
  symbol: string;
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

type Settled = Omit<FundingRow, 'estimate' | 'nextMs'>;

/** What settlements say, which changes with each settlement only. */
function useSettled(settled: readonly Settlement[]): readonly Settled[] {
  const symbols = useSymbols();
  const week = useQuery(askWeek).data;
  const year = useQuery(askYear).data;
  return useMemo(() => {
    const hours = intervalsOf(settled);
    const ofWeek = new Map(week?.symbols.map((sums) => [sums.symbol, sums]));
    const ofYear = new Map(year?.symbols.map((sums) => [sums.symbol, sums]));
    return symbols.map((symbol) => {
      const sums = ofWeek.get(symbol);
      return {
        symbol,
        intervalHours: hours.get(symbol) ?? null,
        latest: sums?.latest ?? null,
        mean: sums?.mean ?? null,
        total: sums?.total ?? null,
        lowest: sums?.lowest ?? null,
        highest: sums?.highest ?? null,
        positive: sums === undefined ? null : sums.positive / sums.settlements,
        annualWeek: sums?.annualised ?? null,
        annualYear: ofYear.get(symbol)?.annualised ?? null,
      };
    });
  }, [symbols, week, year, settled]);
}

/** The same with the running estimates, which come with each price. */
export function useFundingRows(settled: readonly Settlement[]): FundingRow[] {
  const known = useSettled(settled);
  const prices = useLatest({ channel: 'prices' });
  return useMemo(
    () =>
      known.map((row) => {
        const price = prices.get(row.symbol);
        return { ...row, estimate: price?.funding_rate ?? null, nextMs: price?.next_funding_time_ms ?? null };
      }),
    [known, prices],
  );
}
