/** All that is drawn on the candles of a symbol, for the time that one looks at. */
import { keepPreviousData, type UseQueryResult, useQueries, useQuery } from '@tanstack/react-query';
import { useMemo } from 'react';
import { api, bodyOf, type Schema } from '@/api/client.ts';
import { askLiveSummary } from '@/api/queries.ts';
import { useOne, useRecent } from '@/stream/hooks.ts';
import { newestFirst } from '@/stream/merging.ts';
import { useLivePositions } from '@/trading/livePositions.ts';
import { askPaperPositions } from '@/trading/paperPositions.ts';
import { type Interval, LENGTH } from './bars.ts';
import {
  holesOf,
  levelsOf,
  liveHeld,
  liveLines,
  paperHeld,
  paperLines,
  type SignalWord,
  signalMarks,
} from './drawn.ts';
import type { Drawn } from './overlay.ts';
import type { Level } from './picture.ts';
import { isOver, once, pagesOf, type Stretched, stretchesOf } from './stretches.ts';

const LIMIT = 200;
const MOST_PAGES = 4;
const AGAIN_MS = 5_000;
const FOR_GOOD = Number.POSITIVE_INFINITY;
/** From here on a stretch holds thousands of refused ones: a megabyte for marks that cover each other. */
const LONG_MS = LENGTH['1m'];
const NEWEST_REFUSED = 100;
/** From here on a candle holds so many evaluations that only those that led to something are drawn. */
const EMITTED_ONLY_MS = LENGTH['15m'];

type Page<Row> = { rows: readonly Row[]; next_cursor: string | null };
type Asking<Row> = (query: object, signal: AbortSignal) => Promise<Page<Row>>;

interface Question<Row> {
  key: readonly unknown[];
  ask: Asking<Row>;
  /** Whether the answer still changes; what is over stays as it is. */
  moves: (rows: readonly Row[]) => boolean;
  againMs: number | false;
  isWanted?: boolean;
  limit?: number;
  mostPages?: number;
}

interface Known<Row> {
  data?: readonly Row[] | undefined;
  dataUpdatedAt: number;
}

/** The same function for all, so that the rows are put together only when an answer has changed. */
function together(answers: UseQueryResult<readonly unknown[]>[]): readonly unknown[] {
  return answers.flatMap((answer) => answer.data ?? []);
}

/** The rows of all stretches, newest stretch first. */
function useStretches<Row>(stretches: readonly Stretched[], question: Question<Row>): readonly Row[] {
  const { key, ask, moves, againMs, isWanted = true, limit = LIMIT, mostPages = MOST_PAGES } = question;
  return useQueries({
    queries: [...stretches].reverse().map((span) => {
      const isSettled = ({ state }: { state: Known<Row> }) =>
        isOver(span.to, state.dataUpdatedAt) && !moves(state.data ?? []);
      return {
        queryKey: [...key, span.from, span.to, limit],
        queryFn: async ({ signal }: { signal: AbortSignal }) => {
          const page = (cursor: string | null) => ask({ ...span, limit, ...(cursor !== null && { cursor }) }, signal);
          return (await pagesOf(page, mostPages)).flatMap(({ rows }) => rows);
        },
        staleTime: (query: { state: Known<Row> }) => (isSettled(query) ? FOR_GOOD : AGAIN_MS),
        refetchInterval: (query: { state: Known<Row> }) => (isSettled(query) ? (false as const) : againMs),
        enabled: isWanted,
      };
    }),
    combine: together,
  }) as readonly Row[];
}

/** States in which a trade is not over. */
const GOING_ON: ReadonlySet<string> = new Set(['ordered', 'entering', 'open', 'closing']);
const goOn = (trades: readonly { state: string }[]) => trades.some((trade) => GOING_ON.has(trade.state));

/** All that were emitted. Refused ones come with nearly every evaluation, so of long candles only the newest are asked for. */
function useSignals(symbol: string, stretches: readonly Stretched[], length: number): readonly SignalWord[] {
  const question = (state: 'emitted' | 'refused', isWanted: boolean): Question<SignalWord> => ({
    key: ['signals', 'drawn', symbol, state],
    ask: async (query, signal) => {
      const params = { query: { ...query, state, symbol } };
      const { signals, next_cursor } = await bodyOf(api.GET('/api/signals/history', { params, signal }));
      return { rows: signals, next_cursor };
    },
    moves: () => false,
    againMs: false, // the stream goes on with them
    isWanted,
  });
  const isLong = length >= LONG_MS;
  const emitted = useStretches(stretches, question('emitted', true));
  const refused = useStretches(isLong ? stretches.slice(-1) : stretches, {
    ...question('refused', length < EMITTED_ONLY_MS),
    ...(isLong && { limit: NEWEST_REFUSED, mostPages: 1 }),
  });
  const live = useRecent({ channel: 'signals', symbols: [symbol] });
  return useMemo(() => newestFirst<SignalWord>([...emitted, ...refused], live, FOR_GOOD), [emitted, refused, live]);
}

function useHoles(symbol: string, stretches: readonly Stretched[]): readonly Schema<'GapAnswer'>[] {
  return useStretches<Schema<'GapAnswer'>>(stretches, {
    key: ['gaps', 'drawn', symbol],
    ask: async (query, signal) => {
      const { gaps, next_cursor } = await bodyOf(
        api.GET('/api/gaps', { params: { query: { ...query, symbol } }, signal }),
      );
      return { rows: gaps, next_cursor };
    },
    moves: (gaps) => gaps.some((gap) => gap.outcome === 'open' || gap.unfilled > 0),
    againMs: 6 * AGAIN_MS,
  });
}

/** Whether an account with money is traded; while nobody knows, no. */
export function useHasMoney(): boolean {
  const mode = useQuery(askLiveSummary).data?.mode;
  return mode === 'demo' || mode === 'production';
}

export function useDrawn(symbol: string, interval: Interval, span: { from: number; to: number }): Drawn {
  const length = LENGTH[interval];
  const stretches = useMemo(() => stretchesOf(span.from, span.to, length), [span, length]);
  const signals = useSignals(symbol, stretches, length);
  const gaps = useHoles(symbol, stretches);
  const paper = useStretches<Schema<'PaperTradeAnswer'>>(stretches, {
    key: ['paper', 'drawn', symbol],
    ask: (query, signal) => bodyOf(api.GET('/api/paper/trades', { params: { query: { ...query, symbol } }, signal })),
    moves: goOn,
    againMs: AGAIN_MS,
  });
  const live = useStretches<Schema<'LiveTradeAnswer'>>(stretches, {
    key: ['live', 'drawn', symbol],
    ask: (query, signal) => bodyOf(api.GET('/api/live/trades', { params: { query: { ...query, symbol } }, signal })),
    moves: goOn,
    againMs: AGAIN_MS,
    isWanted: useHasMoney(),
  });
  const mark = useOne({ channel: 'prices' }, live.length > 0 ? symbol : null)?.mark_price;
  return useMemo(() => {
    const now = Date.now();
    const trades = [...liveLines(live, mark, now), ...paperLines(paper, now)];
    return {
      signals: signalMarks(signals),
      trades: once(trades, ({ id, name }) => `${name} ${id}`),
      holes: once(holesOf(gaps), ({ from, to }) => `${from} ${to}`),
    };
  }, [signals, paper, live, mark, gaps]);
}

/** Levels of what is open now: of the account, and of paper, which says so. */
export function useLevels(symbol: string): Level[] {
  const { data } = useQuery({ ...askPaperPositions(null), placeholderData: keepPreviousData });
  const hasMoney = useHasMoney();
  const { rows } = useLivePositions();
  return useMemo(() => {
    const live = hasMoney ? rows.filter((row) => row.symbol === symbol).map(liveHeld) : [];
    const paper = (data?.rows ?? []).filter((row) => row.symbol === symbol && row.state === 'open').map(paperHeld);
    return levelsOf([...live, ...paper]);
  }, [data, rows, symbol, hasMoney]);
}
