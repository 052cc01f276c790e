/** What the pages of signals ask. */
import { infiniteQueryOptions, keepPreviousData, queryOptions } from '@tanstack/react-query';
import { api, bodyOf, type Schema } from '@/api/client.ts';

export type SignalRow = Schema<'SignalAnswer'>;
export type Story = Schema<'SignalStory'>;

export interface SignalFilters {
  strategy: string | null;
  symbol: string | null;
  state: string | null;
  from: number | null;
}

const PAGE = 100;

/** Only the filters that are set, as the API takes them. */
export function parametersOf({ strategy, symbol, state, from }: SignalFilters) {
  return {
    ...(strategy !== null && { strategy }),
    ...(symbol !== null && { symbol }),
    ...(state !== null && { state }),
    ...(from !== null && { from }),
  };
}

/** A page after the other, newest first. */
export function askSignalPages(filters: SignalFilters) {
  return infiniteQueryOptions({
    queryKey: ['signals', 'pages', filters],
    queryFn: ({ signal, pageParam }) => {
      const cursor = pageParam === null ? {} : { cursor: pageParam };
      const query = { ...parametersOf(filters), limit: PAGE, ...cursor };
      return bodyOf(api.GET('/api/signals/history', { params: { query }, signal }));
    },
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next_cursor,
    placeholderData: keepPreviousData,
  });
}

export function askStory(signalId: string) {
  return queryOptions({
    queryKey: ['signals', 'story', signalId],
    queryFn: ({ signal }) =>
      bodyOf(api.GET('/api/signals/{signal_id}', { params: { path: { signal_id: signalId } }, signal })),
    // What becomes of it goes on.
    refetchInterval: 5_000,
  });
}

const MOST_TRADES = 500;

/** The newest trades of accounts, to say beside a signal what became of it. */
export function askLiveOutcomes(strategy: string | null) {
  const query = { limit: MOST_TRADES, ...(strategy !== null && { strategy }) };
  return queryOptions({
    queryKey: ['live', 'outcomes', strategy],
    queryFn: ({ signal }) => bodyOf(api.GET('/api/live/trades', { params: { query }, signal })),
    placeholderData: keepPreviousData,
  });
}

/** The same on paper. */
export function askOutcomes(strategy: string | null) {
  const query = { limit: MOST_TRADES, ...(strategy !== null && { strategy }) };
  return queryOptions({
    queryKey: ['paper', 'outcomes', strategy],
    queryFn: ({ signal }) => bodyOf(api.GET('/api/paper/trades', { params: { query }, signal })),
    placeholderData: keepPreviousData,
  });
}
