/** What a chart of several series shows, apart from how it is drawn. */
import type { ReactNode } from 'react';

export interface Point {
  time_ms: number;
  /** null: nothing is known of this time, and a hole stands there. */
  value: number | null;
  /** Of this bar alone, by its token; for bars that go up and down. */
  colour?: Token;
}

/** A colour by its meaning, as src/theme/tokens.css and SeriesChart.module.css name it. */
export type Token = '--accent' | '--up' | '--down' | '--dim' | '--degraded' | `--series-${1 | 2 | 3 | 4 | 5 | 6}`;

export interface Series {
  id: string;
  name: string;
  kind: 'line' | 'steps' | 'area' | 'bars';
  colour: Token;
  /** 0 is the upper pane. */
  pane: number;
  points: readonly Point[];
  isDashed?: boolean;
  /** Thinner, where colours and dashes are used up. */
  isThin?: boolean;
  /** Its figures as people read them. */
  write: (value: number) => string;
}

/** A stretch of time that is hatched, so that nobody reads a hole as calm. */
export interface Stretch {
  from_ms: number;
  to_ms: number;
}

/** Every step from the first row to the last: where there is no row, a hole. Rows are oldest first. */
export function withHoles<Row>(
  rows: readonly Row[],
  timeOf: (row: Row) => number,
  stepMs: number,
): { time_ms: number; row: Row | null }[] {
  const filled: { time_ms: number; row: Row | null }[] = [];
  for (const row of rows) {
    const at = timeOf(row);
    let next = filled.length === 0 ? at : (filled[filled.length - 1]?.time_ms ?? at) + stepMs;
    for (; next < at && filled.length < MOST_POINTS; next += stepMs) filled.push({ time_ms: next, row: null });
    filled.push({ time_ms: at, row });
  }
  return filled;
}

const MOST_POINTS = 20_000;

/** Points as the charting library takes them: seconds that rise, each once; the last of a second counts. */
export function risingSeconds(points: readonly Point[]): { time: number; value: number | null; colour?: Token }[] {
  const bySecond = new Map<number, { time: number; value: number | null; colour?: Token }>();
  for (const { time_ms, value, colour } of points) {
    const time = Math.floor(time_ms / 1_000);
    bySecond.set(time, colour === undefined ? { time, value } : { time, value, colour });
  }
  return [...bySecond.values()].sort((one, other) => one.time - other.time);
}

/** The newest point of a series that has a value at that time or, without a time, at its end. */
export function valueAt(points: readonly Point[], time_ms: number | null): number | null {
  if (time_ms === null) return points.findLast((point) => point.value !== null)?.value ?? null;
  const second = Math.floor(time_ms / 1_000);
  return points.findLast((point) => Math.floor(point.time_ms / 1_000) <= second)?.value ?? null;
}

export interface SeriesChartProps {
  /** For those who hear it: what the chart shows; the figures stand in a table beside it. */
  label: string;
  series: readonly Series[];
  holes?: readonly Stretch[];
  /** While it stays the same, zoom and pan stay; when it changes, everything is shown. */
  subject: string;
  height?: number;
  /** Of the panes, the upper one is 1. */
  stretch?: readonly number[];
  note?: ReactNode;
  /** One has come near the left edge: more is wanted there. */
  onLeft?: () => void;
}
