/** A signal as lists show it. */

/** What REST and stream both say of a signal. */
export interface Listed {
  event_id: string;
  event_time_ms: number;
  strategy: string;
  symbol: string;
  direction: string;
  state: string;
  reason: string | null;
  score: number;
  threshold: number;
  sentence: string;
}
