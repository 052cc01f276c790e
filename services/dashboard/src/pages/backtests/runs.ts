/** Backtests: asked for, started, watched; and their requests in words. */
import { queryOptions } from '@tanstack/react-query';
import { api, bodyOf, type Schema } from '@/api/client.ts';
import { UNKNOWN } from '@/format/numbers.ts';
import { moment } from '@/format/time.ts';
import type { Tone } from '@/parts/Mark.tsx';
import type { Report } from './report.ts';

export type Run = Schema<'BacktestAnswer'>;
export type Asked = Schema<'BacktestAsked'>;

const RUNNING_MS = 1_000;
const RESTING_MS = 10_000;

export const TONES: Record<Run['state'], Tone> = {
  running: 'accent',
  done: 'good',
  failed: 'danger',
  cancelled: 'neutral',
};

export const askRuns = queryOptions({
  queryKey: ['backtests'],
  queryFn: ({ signal }) => bodyOf(api.GET('/api/backtests', { signal })),
  refetchInterval: ({ state }) =>
    state.data?.rows.some((run) => run.state === 'running') === true ? RUNNING_MS : RESTING_MS,
});

export function askRun(backtest_id: string) {
  return queryOptions({
    queryKey: ['backtests', backtest_id],
    queryFn: ({ signal }) =>
      bodyOf(api.GET('/api/backtests/{backtest_id}', { params: { path: { backtest_id } }, signal })),
    refetchInterval: ({ state }) => (state.data?.state === 'running' ? RUNNING_MS : false),
  });
}

/** The report never changes once it is there. */
export function askReport(backtest_id: string, isDone: boolean) {
  return queryOptions({
    queryKey: ['backtests', backtest_id, 'report'],
    queryFn: async ({ signal }) =>
      (await bodyOf(
        api.GET('/api/backtests/{backtest_id}/report', { params: { path: { backtest_id } }, signal }),
      )) as Report,
    enabled: isDone,
    staleTime: Number.POSITIVE_INFINITY,
  });
}

export function start(asked: Asked): Promise<Run> {
  return bodyOf(api.POST('/api/backtests', { body: asked }));
}

export function cancel(backtest_id: string): Promise<Run> {
  return bodyOf(api.POST('/api/backtests/{backtest_id}/cancel', { params: { path: { backtest_id } } }));
}

export interface Wanted {
  start: string;
  end: string;
  symbols: string;
  strategies: string;
  view: string;
}

function listOf(value: unknown, none: string): string {
  return Array.isArray(value) && value.length > 0 ? value.map(String).join(', ') : none;
}

function instant(value: unknown): string {
  const ms = typeof value === 'string' ? Date.parse(value) : Number.NaN;
  return Number.isNaN(ms) ? UNKNOWN : moment(ms).slice(0, 16);
}

/** What a run was asked for, in words. */
export function wantedOf(run: Run): Wanted {
  const { request } = run;
  return {
    start: instant(request.start),
    end: instant(request.end),
    symbols: listOf(request.symbols, 'all followed'),
    strategies: listOf(request.strategies, 'those in force'),
    view: typeof request.view === 'string' ? request.view : UNKNOWN,
  };
}

/** ms that are left at the pace so far; null: too early to say. */
export function leftMs(run: Run, now: number): number | null {
  const spent = now - run.started_ms;
  return run.done < 0.02 || spent < 2_000 ? null : (spent / run.done) * (1 - run.done);
}

/** `2026-11-29T21:00`, as a field for an instant takes it, of the UTC clock. */
export function fieldOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 16);
}

/** The instant that a field for UTC says. */
export function instantOf(field: string): string {
  return `${field}:00Z`;
}
