/** Which of the signals that the stream tells belong to what is shown. */
import type { SignalFilters } from './asking.ts';

interface Told {
  event_time_ms: number;
  strategy: string;
  symbol: string;
  state: string;
}

export function fits(signal: Told, { strategy, symbol, state, from }: SignalFilters): boolean {
  return (
    (strategy === null || signal.strategy === strategy) &&
    (symbol === null || signal.symbol === symbol) &&
    (state === null || signal.state === state) &&
    (from === null || signal.event_time_ms >= from)
  );
}

/** The names that may be chosen: what is known, and what was chosen although nobody knows it. */
export function choices(known: readonly string[], chosen: string | null): string[] {
  return [...new Set([...known, ...(chosen === null ? [] : [chosen])])].sort();
}
