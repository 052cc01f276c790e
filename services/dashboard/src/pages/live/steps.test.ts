import { expect, test } from 'vitest';
import { stepsOf } from './steps.ts';

const nothing = {
  signal_time_ms: null,
  decided_time_ms: null,
  sent_time_ms: null,
  answered_time_ms: null,
  entry_time_ms: null,
  stop_sent_time_ms: null,
  protected_time_ms: null,
  targets_time_ms: null,
};

test('each step says how long it took after the one before that is known', () => {
  const steps = stepsOf({ ...nothing, decided_time_ms: 1_000, sent_time_ms: 1_008, entry_time_ms: 1_034 });
  expect(steps.map(({ name, afterMs }) => [name, afterMs])).toEqual([
    ['Decided', null],
    ['Entry sent', 8],
    ['Filled', 26],
  ]);
});

test('a trade that was never sent has no steps', () => {
  expect(stepsOf(nothing)).toEqual([]);
});
