import { describe, expect, it } from 'vitest';
import { risingSeconds, valueAt, withHoles } from './series.ts';

describe('series', () => {
  it('has a hole for every step that has no row', () => {
    const filled = withHoles([{ at: 60_000 }, { at: 240_000 }], (row) => row.at, 60_000);
    expect(filled.map(({ time_ms, row }) => [time_ms, row !== null])).toEqual([
      [60_000, true],
      [120_000, false],
      [180_000, false],
      [240_000, true],
    ]);
    expect(withHoles([], () => 0, 60_000)).toEqual([]);
  });

  it('gives seconds that rise, each once, whatever came in which order', () => {
    const points = [
      { time_ms: 2_500, value: 3 },
      { time_ms: 1_000, value: 1 },
      { time_ms: 2_900, value: 4 },
      { time_ms: 3_000, value: null },
    ];
    expect(risingSeconds(points)).toEqual([
      { time: 1, value: 1 },
      { time: 2, value: 4 },
      { time: 3, value: null },
    ]);
  });

  it('tells the value at a time, and the newest known one without a time', () => {
    const points = [
      { time_ms: 1_000, value: 1 },
      { time_ms: 5_000, value: 2 },
      { time_ms: 9_000, value: null },
    ];
    expect(valueAt(points, 4_000)).toBe(1);
    expect(valueAt(points, 5_000)).toBe(2);
    expect(valueAt(points, 10_000)).toBeNull();
    expect(valueAt(points, null)).toBe(2);
    expect(valueAt(points, 0)).toBeNull();
  });
});
