/** What the page of paper trades asks. */
import { infiniteQueryOptions, keepPreviousData, queryOptions } from '@tanstack/react-query';
import { api, bodyOf, type Schema } from '@/api/client.ts';

export type PaperTrade = Schema<'PaperTradeAnswer'>;
export type PaperStatistics = Schema<'PaperStatisticsAnswer'>;
export type PaperState = PaperTrade['state'];
export const PAPER_STATES: readonly PaperState[] = ['closed', 'open', 'ordered', 'not_taken', 'abandoned'];

const MINUTE_MS = 60_000;
const PAGE = 100;

export interface Narrowed {
  strategy: string | null;
  from: number | null;
}

function parametersOf({ strategy, from }: Narrowed) {
  return { ...(strategy !== null && { strategy }), ...(from !== null && { from }) };
}

/** Points are as far apart as the asked time is long: of accounts that are younger than it, their own time is asked. */
async function equityOf(narrowed: Narrowed, signal: AbortSignal) {
  const ask = (query: ReturnType<typeof parametersOf>) =>
    bodyOf(api.GET('/api/paper/equity', { params: { query }, signal }));
  const whole = await ask(parametersOf(narrowed));
  const begins = (whole.rows[0]?.event_time_ms ?? whole.to_ms) - whole.step_ms;
  const isYoung = begins > (whole.from_ms + whole.to_ms) / 2;
  return isYoung ? ask(parametersOf({ ...narrowed, from: begins })) : whole;
}

export function askPaperEquity(narrowed: Narrowed) {
  return queryOptions({
    queryKey: ['paper', 'equity', narrowed],
    queryFn: ({ signal }) => equityOf(narrowed, signal),
    refetchInterval: MINUTE_MS / 2,
    placeholderData: keepPreviousData,
  });
}

export function askPaperStatistics(narrowed: Narrowed) {
  return queryOptions({
    queryKey: ['paper', 'stats', narrowed],
    queryFn: ({ signal }) => bodyOf(api.GET('/api/paper/stats', { params: { query: parametersOf(narrowed) }, signal })),
    refetchInterval: MINUTE_MS,
    placeholderData: keepPreviousData,
  });
}

export function askPaperTrades(narrowed: Narrowed, state: PaperState | null) {
  return infiniteQueryOptions({
    queryKey: ['paper', 'trades', narrowed, state],
    queryFn: ({ signal, pageParam }) => {
      const more = { ...(state !== null && { state }), ...(pageParam !== null && { cursor: pageParam }) };
      const query = { ...parametersOf(narrowed), ...more, limit: PAGE };
      return bodyOf(api.GET('/api/paper/trades', { params: { query }, signal }));
    },
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next_cursor,
    placeholderData: keepPreviousData,
  });
}
