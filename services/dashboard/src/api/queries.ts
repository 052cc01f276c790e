/** Questions that more than one page asks; a page's own ones stand beside it. */
import { keepPreviousData, QueryClient, queryOptions } from '@tanstack/react-query';
import { api, bodyOf } from './client.ts';
import { Problem } from './problem.ts';

const MINUTE = 60_000;

/** What does not come over the stream is asked again now and then, and never for a page that nobody looks at. */
export const queries = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 5_000,
      gcTime: 10 * MINUTE,
      retry: (count, error) => count < 2 && error instanceof Problem && error.isPassing,
      refetchOnWindowFocus: true,
    },
    mutations: { retry: false },
  },
});

export const askRates = queryOptions({
  queryKey: ['rates'],
  queryFn: ({ signal }) => bodyOf(api.GET('/api/rates', { signal })),
  staleTime: 3_000,
});

export const askFeeds = queryOptions({
  queryKey: ['feeds'],
  queryFn: ({ signal }) => bodyOf(api.GET('/api/feeds', { signal })),
  refetchInterval: 10_000,
});

export const askServer = queryOptions({
  queryKey: ['server'],
  queryFn: ({ signal }) => bodyOf(api.GET('/api/server', { signal })),
  refetchInterval: 10_000,
});

export const askLiveSummary = queryOptions({
  queryKey: ['live', 'summary'],
  queryFn: ({ signal }) => bodyOf(api.GET('/api/live/summary', { signal })),
  refetchInterval: 5_000,
});

export const askPaperSummary = queryOptions({
  queryKey: ['paper', 'summary'],
  queryFn: ({ signal }) => bodyOf(api.GET('/api/paper/summary', { signal })),
  refetchInterval: 10_000,
});

export const askRisk = queryOptions({
  queryKey: ['risk'],
  queryFn: ({ signal }) => bodyOf(api.GET('/api/risk', { signal })),
  refetchInterval: 10_000,
});

export const askStrategies = queryOptions({
  queryKey: ['strategies'],
  queryFn: ({ signal }) => bodyOf(api.GET('/api/strategies', { signal })),
  staleTime: MINUTE,
});

/** The newest signals, for a list that the stream then goes on with. */
export function askSignals(limit: number, strategy?: string) {
  const query = strategy === undefined ? { limit } : { limit, strategy };
  return queryOptions({
    queryKey: ['signals', 'newest', limit, strategy ?? null],
    queryFn: ({ signal }) => bodyOf(api.GET('/api/signals/history', { params: { query }, signal })),
    placeholderData: keepPreviousData,
  });
}
