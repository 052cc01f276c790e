/** What the pages of an account ask. Without an account's name it is the one that this installation trades. */
import { infiniteQueryOptions, keepPreviousData, queryOptions } from '@tanstack/react-query';
import { api, bodyOf, type Schema } from '@/api/client.ts';

export type LiveTradeRow = Schema<'LiveTradeAnswer'>;
export type LiveOrder = Schema<'LiveOrderAnswer'>;
export type LiveEvent = Schema<'LiveEventAnswer'>;
export type LiveState = LiveTradeRow['state'];
export const LIVE_STATES: readonly LiveState[] = ['open', 'entering', 'closing', 'closed', 'refused', 'not_entered'];

const PAGE = 100;
const first = null as string | null;

export const askBalance = queryOptions({
  queryKey: ['live', 'balance'],
  queryFn: ({ signal }) => bodyOf(api.GET('/api/live/balance', { signal })),
  refetchInterval: 10_000,
});

export const askCurve = queryOptions({
  queryKey: ['live', 'equity'],
  queryFn: ({ signal }) => bodyOf(api.GET('/api/live/equity', { signal })),
  refetchInterval: 60_000,
});

export const askConfig = queryOptions({
  queryKey: ['live', 'config'],
  queryFn: ({ signal }) => bodyOf(api.GET('/api/live/config', { signal })),
});

export const askConfigHistory = queryOptions({
  queryKey: ['live', 'config', 'history'],
  queryFn: ({ signal }) => bodyOf(api.GET('/api/live/config/history', { signal })),
});

export const askRiskHistory = queryOptions({
  queryKey: ['risk', 'history'],
  queryFn: ({ signal }) => bodyOf(api.GET('/api/risk/history', { params: { query: { limit: 200 } }, signal })),
  refetchInterval: 10_000,
});

export function askTrades(state: LiveState | null) {
  return infiniteQueryOptions({
    queryKey: ['live', 'trades', state],
    queryFn: ({ signal, pageParam }) => {
      const more = { ...(state !== null && { state }), ...(pageParam !== null && { cursor: pageParam }) };
      return bodyOf(api.GET('/api/live/trades', { params: { query: { limit: PAGE, ...more } }, signal }));
    },
    initialPageParam: first,
    getNextPageParam: (page) => page.next_cursor,
    placeholderData: keepPreviousData,
  });
}

export const askOrders = infiniteQueryOptions({
  queryKey: ['live', 'orders'],
  queryFn: ({ signal, pageParam }) => {
    const more = pageParam === null ? {} : { cursor: pageParam };
    return bodyOf(api.GET('/api/live/orders', { params: { query: { limit: PAGE, ...more } }, signal }));
  },
  initialPageParam: first,
  getNextPageParam: (page) => page.next_cursor,
});

export const askEvents = infiniteQueryOptions({
  queryKey: ['live', 'events'],
  queryFn: ({ signal, pageParam }) => {
    const more = pageParam === null ? {} : { cursor: pageParam };
    return bodyOf(api.GET('/api/live/events', { params: { query: { limit: PAGE, ...more } }, signal }));
  },
  initialPageParam: first,
  getNextPageParam: (page) => page.next_cursor,
});

export function askTrade(tradeId: string) {
  return queryOptions({
    queryKey: ['live', 'trade', tradeId],
    queryFn: ({ signal }) =>
      bodyOf(api.GET('/api/live/trades/{trade_id}', { params: { path: { trade_id: tradeId } }, signal })),
    refetchInterval: 5_000,
  });
}
