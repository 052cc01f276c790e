/** Settled funding as lines and rows: by symbol, each rate or what they have come to. */
import { queryOptions } from '@tanstack/react-query';
import { api, bodyOf, type Schema } from '@/api/client.ts';
import type { Point, Series, Token } from '@/charts/series.ts';
import { percent } from '@/format/numbers.ts';

export type Settlement = Schema<'SettlementAnswer'>;
export type Sums = Schema<'FundingOfSymbol'>;

const DAY = 86_400_000;
const HOUR = 3_600_000;
export const SPANS = { '7d': 7, '30d': 30, '90d': 90, '1y': 365 } as const;
export type Span = keyof typeof SPANS;
export type Drawn = 'rates' | 'sum';

/** A span begins at a full hour, so that asking again within it is the same question. */
export function beginningOf(span: Span, now: number): number {
  return Math.floor((now - SPANS[span] * DAY) / HOUR) * HOUR;
}

export function askHistory(span: Span) {
  return queryOptions({
    queryKey: ['funding', 'history', span],
    queryFn: ({ signal }) => {
      const query = { from: beginningOf(span, Date.now()) };
      return bodyOf(api.GET('/api/history', { params: { query }, signal }));
    },
    staleTime: 60_000,
    refetchInterval: 5 * 60_000,
  });
}

export const askWeek = queryOptions({
  queryKey: ['funding', 'week'],
  queryFn: ({ signal }) => bodyOf(api.GET('/api/stats', { signal })),
  staleTime: 60_000,
  refetchInterval: 5 * 60_000,
});

export const askYear = queryOptions({
  queryKey: ['funding', 'year'],
  queryFn: ({ signal }) => bodyOf(api.GET('/api/stats/ytd', { signal })),
  staleTime: 10 * 60_000,
});

/** Colours for so many lines; more are told apart by their dashes, and more than those by being thin. After that they come again. */
const COLOURS: readonly Token[] = ['--series-1', '--series-2', '--series-3', '--series-4', '--series-5', '--series-6'];
/** So many can be told apart by their look alone. */
export const LOOKS = 4 * COLOURS.length;

/** A settled rate stands until the next one: the last point is the newest value at `untilMs`. */
function pointsOf(rows: readonly Settlement[], drawn: Drawn, untilMs: number): Point[] {
  let sum = 0;
  const points = rows.map(({ time_ms, rate }) => {
    sum += Number(rate);
    return { time_ms, value: drawn === 'sum' ? sum : Number(rate) };
  });
  const last = points.at(-1);
  return last === undefined || last.time_ms >= untilMs ? points : [...points, { ...last, time_ms: untilMs }];
}

export interface Choice {
  hidden: ReadonlySet<string>;
  drawn: Drawn;
  untilMs: number;
}

/** A line a symbol. `symbols`: all of them, in whose order colours are given, so that a symbol keeps its own. */
export function linesOf(
  rows: readonly Settlement[],
  symbols: readonly string[],
  { hidden, drawn, untilMs }: Choice,
): Series[] {
  const bySymbol = new Map<string, Settlement[]>();
  for (const row of rows) {
    const own = bySymbol.get(row.symbol);
    if (own === undefined) bySymbol.set(row.symbol, [row]);
    else own.push(row);
  }
  return symbols.flatMap((symbol, index) => {
    const round = Math.floor(index / COLOURS.length);
    const own = bySymbol.get(symbol);
    if (own === undefined || hidden.has(symbol)) return [];
    return {
      id: symbol,
      name: symbol,
      kind: 'steps' as const,
      colour: COLOURS[index % COLOURS.length] ?? '--accent',
      isDashed: round % 2 === 1,
      isThin: round % 4 >= 2,
      pane: 0,
      points: pointsOf(own, drawn, untilMs),
      write: (value: number) => percent(value, 4, true),
    };
  });
}

/** Hours between the last two settlements of each symbol; one that was settled once has none. Rows are oldest first. */
export function intervalsOf(rows: readonly Settlement[]): ReadonlyMap<string, number> {
  const last = new Map<string, number>();
  const hours = new Map<string, number>();
  for (const { symbol, time_ms } of rows) {
    const before = last.get(symbol);
    if (before !== undefined) hours.set(symbol, Math.round((time_ms - before) / HOUR));
    last.set(symbol, time_ms);
  }
  return hours;
}
