import { describe, expect, it } from 'vitest';
import { fieldOf, instantOf, leftMs, type Run, wantedOf } from './runs.ts';

const RUN: Run = {
  backtest_id: '20261129-205500-3f9c2a',
  state: 'running',
  phase: 'replaying',
  done: 0.25,
  started_ms: 1_000,
  ended_ms: null,
  started_by: 'anna',
  detail: null,
  request: { start: '2026-11-01T00:00:00Z', end: '2026-11-02T12:30:00+00:00', symbols: [], strategies: ['v51'] },
};

describe('a run', () => {
  it('says what was asked for', () => {
    expect(wantedOf(RUN)).toEqual({
      start: '2026-11-01 00:00',
      end: '2026-11-02 12:30',
      symbols: 'all followed',
      strategies: 'v51',
      view: '–',
    });
  });

  it('says how long it takes only once there is a pace', () => {
    expect(leftMs(RUN, 11_000)).toBe(30_000);
    expect(leftMs({ ...RUN, done: 0 }, 11_000)).toBeNull();
    expect(leftMs(RUN, 1_500)).toBeNull();
  });

  it('takes instants as UTC, whatever the machine’s zone is', () => {
    expect(fieldOf(Date.UTC(2026, 10, 29, 21, 5))).toBe('2026-11-29T21:05');
    expect(instantOf('2026-11-29T21:05')).toBe('2026-11-29T21:05:00Z');
  });
});
