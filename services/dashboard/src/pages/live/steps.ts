/** How long each step of a trade took, from the signal to stop and targets at the venue. */
import type { LiveTradeRow } from './asking.ts';

export interface Step {
  name: string;
  timeMs: number;
  /** Since the step before that is known; null of the first. */
  afterMs: number | null;
}

type Times = Pick<
  LiveTradeRow,
  | 'signal_time_ms'
  | 'decided_time_ms'
  | 'sent_time_ms'
  | 'answered_time_ms'
  | 'entry_time_ms'
  | 'stop_sent_time_ms'
  | 'protected_time_ms'
  | 'targets_time_ms'
>;

const STEPS: readonly (readonly [keyof Times, string])[] = [
  ['signal_time_ms', 'Signal'],
  ['decided_time_ms', 'Decided'],
  ['sent_time_ms', 'Entry sent'],
  ['answered_time_ms', 'Answered'],
  ['entry_time_ms', 'Filled'],
  ['stop_sent_time_ms', 'Stop sent'],
  ['protected_time_ms', 'Stop stands'],
  ['targets_time_ms', 'Targets stand'],
];

export function stepsOf(trade: Times): Step[] {
  const known = STEPS.flatMap(([name, title]) => {
    const timeMs = trade[name];
    return timeMs === null ? [] : [{ name: title, timeMs }];
  });
  return known.map((step, index) => {
    const before = known[index - 1];
    return { ...step, afterMs: before === undefined ? null : step.timeMs - before.timeMs };
  });
}
