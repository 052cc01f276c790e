/** Profit by a side of it, on paper or of an account. */
import { keepPreviousData, queryOptions } from '@tanstack/react-query';
import { api, bodyOf, type Schema } from '@/api/client.ts';

export type ProfitRow = Schema<'ProfitRow'>;
export type By = Schema<'Profit'>['by'];
export type Books = Schema<'Profit'>['books'];
export const SIDES: readonly By[] = ['day', 'week', 'month', 'strategy', 'symbol', 'reason'];

export interface ProfitAsked {
  by: By;
  books: Books;
  strategy: string | null;
  from: number | null;
}

export function askProfit(asked: ProfitAsked) {
  const { by, books, strategy, from } = asked;
  const query = { by, books, ...(strategy !== null && { strategy }), ...(from !== null && { from }) };
  return queryOptions({
    queryKey: [books, 'profit', asked],
    queryFn: ({ signal }) => bodyOf(api.GET('/api/profit', { params: { query }, signal })),
    refetchInterval: 60_000,
    placeholderData: keepPreviousData,
  });
}

/** Of all that were closed; null of none. */
export function winRate({ trades, won }: Pick<ProfitRow, 'trades' | 'won'>): number | null {
  return trades === 0 ? null : won / trades;
}
