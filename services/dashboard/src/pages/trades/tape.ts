/** What was traded, by interval: volume by side, delta, CVD; with the holes that nobody may read as calm. */
import { keepPreviousData, queryOptions } from '@tanstack/react-query';
import { api, bodyOf, type Schema } from '@/api/client.ts';
import { type Interval, LENGTH, type Timed } from '@/charts/bars.ts';
import { Candles, type Query } from '@/charts/candles.ts';
import { type Point, type Series, type Stretch, withHoles } from '@/charts/series.ts';
import { fixed, short } from '@/format/numbers.ts';
import { LIQUIDATED } from './forced.ts';

export type SummaryRow = Schema<'SummaryRow'>;
export type Gap = Schema<'GapAnswer'>;
export type LiquidationWindow = Schema<'LiquidationWindow'>;
export type TapeRow = SummaryRow & Timed;
const AT_FIRST = 360;
const MOST_WINDOWS = 1_500;
const MOST_GAPS = 500;

/** Liquidations come in windows of these lengths only. */
export function windowOf(interval: Interval): '1m' | '5m' | '1h' {
  if (LENGTH[interval] < LENGTH['5m']) return '1m';
  return LENGTH[interval] < LENGTH['1h'] ? '5m' : '1h';
}

/** Short intervals are asked for more often; never more than once a second. */
export function paceOf(interval: Interval): number {
  return Math.min(15_000, Math.max(2_000, LENGTH[interval] / 4));
}

/** Rows of a symbol and time frame, which go on to the left. `before`: where trading ended before an instant. */
export function tapeOf(
  symbol: string,
  interval: Interval,
  before: (time: number) => Promise<number | null>,
): Candles<TapeRow> {
  const ask = async ({ from, to, limit }: Query) => {
    const span = { ...(from !== undefined && { from }), ...(to !== undefined && { to }) };
    const query = { symbol, interval, limit, ...span };
    const { rows } = await bodyOf(api.GET('/api/trades/summary', { params: { query } }));
    return rows.map((row) => ({ ...row, time: row.open_time_ms }));
  };
  return new Candles({ ask, before, length: LENGTH[interval], atFirst: AT_FIRST });
}

/** Where questions beside the rows begin: in large steps, so that they stay the same while one goes a little to the left. */
export function beginningOf(rows: readonly Timed[], stepMs: number): number | null {
  const first = rows[0];
  return first === undefined ? null : Math.floor(first.time / (AT_FIRST * stepMs)) * AT_FIRST * stepMs;
}

/** All windows since that instant; null: not known yet. */
export function askLiquidations(symbol: string, interval: Interval, from: number | null) {
  const window = windowOf(interval);
  return queryOptions({
    queryKey: ['liquidations', symbol, window, from],
    queryFn: ({ signal }) => {
      const query = { symbol, window, limit: MOST_WINDOWS, from: from ?? 0 };
      return bodyOf(api.GET('/api/liquidations', { params: { query }, signal }));
    },
    enabled: from !== null,
    refetchInterval: 15_000,
    placeholderData: keepPreviousData,
  });
}

/** Gaps that reach to that instant or beyond, for the hatching; null: not known yet. */
export function askHoles(symbol: string, from: number | null) {
  return queryOptions({
    queryKey: ['gaps', 'tape', symbol, from],
    queryFn: ({ signal }) => {
      const query = { symbol, limit: MOST_GAPS, from: from ?? 0 };
      return bodyOf(api.GET('/api/gaps', { params: { query }, signal }));
    },
    enabled: from !== null,
    refetchInterval: 15_000,
    placeholderData: keepPreviousData,
  });
}

export function askForced(symbol: string | null) {
  return queryOptions({
    queryKey: ['liquidations', 'raw', symbol],
    queryFn: ({ signal }) => {
      const query = { symbol: symbol ?? '', limit: 100 };
      return bodyOf(api.GET('/api/liquidations/raw', { params: { query }, signal }));
    },
    enabled: symbol !== null,
    refetchInterval: 15_000,
  });
}

export function askGaps(symbol: string | null) {
  return queryOptions({
    queryKey: ['gaps', symbol],
    queryFn: ({ signal }) =>
      bodyOf(api.GET('/api/gaps', { params: { query: { symbol: symbol ?? '', limit: 200 } }, signal })),
    enabled: symbol !== null,
    refetchInterval: 15_000,
  });
}

export const askMeta = queryOptions({
  queryKey: ['trades', 'meta'],
  queryFn: ({ signal }) => bodyOf(api.GET('/api/trades/meta', { signal })),
  refetchInterval: 15_000,
});

export const askFeatures = (symbol: string | null) =>
  queryOptions({
    queryKey: ['indicators', symbol],
    queryFn: ({ signal }) =>
      bodyOf(api.GET('/api/indicators', { params: { query: { symbol: symbol ?? '', limit: 1 } }, signal })),
    enabled: symbol !== null,
    refetchInterval: 15_000,
  });

/** Base units bought less sold by takers. */
export function deltaOf(row: SummaryRow): number {
  return Number(row.buy_volume) - Number(row.sell_volume);
}

const base = (value: number) => short(value);
const change = (value: number) => short(value, true);

/** Volume bought above and sold below the line, delta's sum (CVD), and liquidations, on one time axis. */
export function seriesOf(rows: readonly SummaryRow[], windows: readonly LiquidationWindow[], stepMs: number): Series[] {
  const steps = withHoles(rows, (row) => row.open_time_ms, stepMs);
  const bars = (value: (row: SummaryRow) => number): Point[] =>
    steps.map(({ time_ms, row }) => ({ time_ms, value: row === null ? null : value(row) }));
  let sum = 0;
  const cvd = bars((row) => {
    sum += deltaOf(row);
    return sum;
  });
  const close = bars((row) => Number(row.close));
  const first = rows[0]?.open_time_ms ?? 0;
  const last = rows[rows.length - 1]?.open_time_ms ?? 0;
  const shown = windows.filter(({ open_time_ms }) => open_time_ms >= first && open_time_ms <= last);
  const forced = (value: (window: LiquidationWindow) => number): Point[] =>
    shown.map((window) => ({ time_ms: window.open_time_ms, value: value(window) }));
  const decimals = decimalsOfRows(rows);
  return [
    {
      id: 'close',
      name: 'close',
      kind: 'line',
      colour: '--accent',
      pane: 0,
      points: close,
      write: (v) => fixed(v, decimals),
    },
    {
      id: 'bought',
      name: '▲ bought',
      kind: 'bars',
      colour: '--up',
      pane: 1,
      points: bars((row) => Number(row.buy_volume)),
      write: base,
    },
    {
      id: 'sold',
      name: '▼ sold',
      kind: 'bars',
      colour: '--down',
      pane: 1,
      points: bars((row) => -Number(row.sell_volume)),
      write: (v) => base(Math.abs(v)),
    },
    { id: 'cvd', name: 'CVD', kind: 'line', colour: '--series-3', pane: 2, points: cvd, write: change },
    {
      id: 'shorts',
      name: `${LIQUIDATED.short.arrow} shorts liquidated ≥`,
      kind: 'bars',
      colour: LIQUIDATED.short.colour,
      pane: 3,
      points: forced((w) => Number(w.short_notional)),
      write: base,
    },
    {
      id: 'longs',
      name: `${LIQUIDATED.long.arrow} longs liquidated ≥`,
      kind: 'bars',
      colour: LIQUIDATED.long.colour,
      pane: 3,
      points: forced((w) => -Number(w.long_notional)),
      write: (v) => base(Math.abs(v)),
    },
  ];
}

/** As many decimals as the prices of these rows need. */
export function decimalsOfRows(rows: readonly { close: string }[]): number {
  return Math.max(
    0,
    ...rows.slice(-50).map(({ close }) => (close.includes('.') ? close.length - close.indexOf('.') - 1 : 0)),
  );
}

/** Gaps that are not mended, within what is shown; ids that never existed are no hole. */
export function holesOf(gaps: readonly Gap[], rows: readonly SummaryRow[]): Stretch[] {
  const first = rows[0]?.open_time_ms;
  if (first === undefined) return [];
  return gaps
    .filter((gap) => isHole(gap) && gap.to_ms >= first)
    .map(({ from_ms, to_ms }) => ({ from_ms: Math.max(first, from_ms), to_ms }));
}

/** Whether something is missing there still. */
export function isHole(gap: Gap): boolean {
  return gap.outcome === 'open' || gap.outcome === 'lost' || gap.unfilled > 0;
}

export interface Totals {
  volume: number;
  quote: number;
  delta: number;
  trades: number;
  vwap: number | null;
}

/** Of all rows together. */
export function totalsOf(rows: readonly SummaryRow[]): Totals {
  const sum = (value: (row: SummaryRow) => number) => rows.reduce((total, row) => total + value(row), 0);
  const volume = sum((row) => Number(row.volume));
  const quote = sum((row) => Number(row.quote_volume));
  return {
    volume,
    quote,
    delta: sum(deltaOf),
    trades: sum((row) => row.trades),
    vwap: volume > 0 ? quote / volume : null,
  };
}
