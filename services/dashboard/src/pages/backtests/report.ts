/** A report as the backtester writes it (docs/backtesting.md, schema backtest_report/2), as far as the page shows it. */
import type { Point, Series } from '@/charts/series.ts';
import { fixed, inR, percent, signed, UNKNOWN } from '@/format/numbers.ts';
import { duration } from '@/format/time.ts';

export interface Figure {
  value: number | null;
  reason?: string;
  low?: number | null;
  high?: number | null;
}

export interface Group {
  key: string;
  trades: number;
  wins: number;
  win_rate: Figure;
  net: number;
  gross: number;
  costs: number;
  expectancy_r: Figure;
  profit_factor: Figure;
  median_hold_ms: Figure;
}

export interface ReportTrade {
  signal_id: string;
  strategy: string;
  version: number;
  symbol: string;
  direction: string;
  score: number;
  entry: { time_ms: number; price: string };
  exits: readonly { reason: string; time_ms: number; price: string }[];
  net: string;
  net_r: number;
  fees: string;
  slippage: string;
  funding: string;
  adverse_r: number;
  favourable_r: number;
}

export interface Report {
  schema: string;
  report_hash: string;
  facts: {
    strategies: readonly (readonly [string, number, string])[];
    symbols: readonly string[];
    source: string;
    view: string;
    start_ms: number;
    end_ms: number;
    ideal: boolean;
    assumptions: readonly string[];
    starting_balance: number;
    risk_per_trade: number;
    code_version: string;
    trades_read: number;
    evaluations: number;
  };
  cautions: readonly string[];
  coverage: readonly { symbol: string; name: string; share: number; rows: number; missing?: string }[];
  figures: Readonly<Record<string, Figure>>;
  tables: {
    by_symbol: readonly Group[];
    by_strategy: readonly Group[];
    by_direction: readonly Group[];
    by_hour: readonly Group[];
    by_exit: readonly Group[];
    by_score: readonly Group[];
    by_hold: readonly Group[];
    refused: readonly { stage: string; reason: string; count: number; share: number }[];
    days: readonly { day: string; result: number; share: number | null }[];
  };
  trades: readonly ReportTrade[];
  equity: { time_ms: readonly number[]; equity: readonly number[]; underwater: readonly number[] };
}

export type Unit = 'quote' | 'quote_signed' | 'share' | 'share_signed' | 'ratio' | 'R' | 'count' | 'time';

/** The figures of the page's head, in the order of one's questions; the whole report has all, with their formulas. */
export const HEADLINES: readonly { name: string; label: string; unit: Unit }[] = [
  { name: 'net', label: 'Net PnL, USDT', unit: 'quote_signed' },
  { name: 'total_r', label: 'Net PnL', unit: 'R' },
  { name: 'total_return', label: 'Return', unit: 'share_signed' },
  { name: 'trades', label: 'Trades', unit: 'count' },
  { name: 'win_rate', label: 'Win rate', unit: 'share' },
  { name: 'profit_factor', label: 'Profit factor', unit: 'ratio' },
  { name: 'expectancy_r', label: 'Expectancy', unit: 'R' },
  { name: 'sharpe', label: 'Sharpe', unit: 'ratio' },
  { name: 'drawdown', label: 'Max drawdown', unit: 'share' },
  { name: 'drawdown_expected', label: 'Drawdown, 1 in 20', unit: 'share' },
  { name: 'fees', label: 'Fees, USDT', unit: 'quote' },
  { name: 'slippage', label: 'Slippage, USDT', unit: 'quote' },
  { name: 'funding', label: 'Funding, USDT', unit: 'quote' },
  { name: 'median_hold', label: 'Median hold', unit: 'time' },
  { name: 'luck', label: 'Probability of luck', unit: 'share' },
];

const WRITERS: Record<Unit, (value: number) => string> = {
  quote: (value) => fixed(value, 2),
  quote_signed: (value) => signed(value, 2),
  share: (value) => percent(value, 1),
  share_signed: (value) => percent(value, 2, true),
  ratio: (value) => fixed(value, 2),
  R: inR,
  count: (value) => fixed(value, 0),
  time: duration,
};

/** The figure in its unit. */
export function written(figure: Figure | undefined, unit: Unit): string {
  return figure?.value === null || figure?.value === undefined ? UNKNOWN : WRITERS[unit](figure.value);
}

/** Its 90 % band, or why there is no figure; null: neither. An open end is `…`. */
export function bandOf(figure: Figure | undefined, unit: Unit): string | null {
  if (figure === undefined) return null;
  if (figure.value === null) return figure.reason || null;
  const { low = null, high = null } = figure;
  if (low === null && high === null) return null;
  const end = (value: number | null) => (value === null ? '…' : WRITERS[unit](value));
  return `${end(low)} to ${end(high)}`;
}

/** The account's value, and below it how far it was under its highest. */
export function curves({ equity }: Report): Series[] {
  const points = (values: readonly number[]): Point[] =>
    equity.time_ms.map((time_ms, index) => ({ time_ms, value: values[index] ?? null }));
  return [
    {
      id: 'equity',
      name: 'equity, USDT',
      kind: 'area',
      colour: '--accent',
      pane: 0,
      points: points(equity.equity),
      write: (value) => fixed(value, 2),
    },
    {
      id: 'underwater',
      name: 'below the highest',
      kind: 'area',
      colour: '--degraded',
      pane: 1,
      points: points(equity.underwater),
      write: (value) => percent(value, 2),
    },
  ];
}
