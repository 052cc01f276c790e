/** What is ordered and open on paper. */
import { keepPreviousData, queryOptions } from '@tanstack/react-query';
import { api, bodyOf, type Schema } from '@/api/client.ts';

export type PaperPosition = Schema<'PaperPosition'>;

export function askPaperPositions(strategy: string | null) {
  const query = strategy === null ? {} : { strategy };
  return queryOptions({
    queryKey: ['paper', 'positions', strategy],
    queryFn: ({ signal }) => bodyOf(api.GET('/api/paper/positions', { params: { query }, signal })),
    refetchInterval: 5_000,
    placeholderData: keepPreviousData,
  });
}
