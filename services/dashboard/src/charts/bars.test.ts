import { describe, expect, it } from 'vitest';
import { type Bar, bands, barsOf, cvd, DAY_MS, merged, silences, touched } from './bars.ts';

const MINUTE = 60_000;
const bar = (minute: number, close = 100, more: Partial<Bar> = {}): Bar => ({
  time: minute * MINUTE,
  open: 100,
  high: Math.max(100, close),
  low: Math.min(100, close),
  close,
  volume: 1,
  delta: 0,
  vwap: close,
  ...more,
});
const times = (bars: readonly Bar[]) => bars.map((each) => each.time / MINUTE);

describe('candles', () => {
  it('take steps of CVD, so that answers which begin elsewhere fit together', () => {
    const candle = { open_time_ms: 0, open: '1', high: '1', low: '1', close: '1', volume: '2' };
    const bars = barsOf([
      { ...candle, cvd: '1.5' },
      { ...candle, open_time_ms: MINUTE, cvd: '-0.5' },
    ]);
    expect(bars.map((each) => each.delta)).toEqual([1.5, -2]);
    expect(cvd(bars)).toEqual([1.5, -0.5]);
    expect(barsOf([candle])[0]?.delta).toBeNull();
  });

  it('keep what is known and believe the newer word', () => {
    const known = [bar(1), bar(2, 100), bar(3, 100)];
    const both = merged(known, [bar(3, 101), bar(4)]);
    expect(times(both)).toEqual([1, 2, 3, 4]);
    expect(both[2]?.close).toBe(101);
    expect(times(merged(known, [bar(-1), bar(0)]))).toEqual([-1, 0, 1, 2, 3]);
    expect(merged(known, [])).toEqual(known);
    expect(merged([], known)).toEqual(known);
  });

  it('move with the last price, and begin the next one', () => {
    const now = touched([bar(1, 100)], 103, MINUTE + 59_999, MINUTE);
    expect(now.at(-1)).toMatchObject({ close: 103, high: 103, low: 100, volume: 1 });
    const next = touched(now, 99, 3 * MINUTE + 1, MINUTE);
    expect(times(next)).toEqual([1, 3]);
    expect(next.at(-1)).toMatchObject({ open: 99, volume: null });
    expect(touched(next, 50, MINUTE, MINUTE)).toEqual(next);
    expect(touched([], 50, MINUTE, MINUTE)).toEqual([]);
  });

  it('say where nothing was traded', () => {
    expect(silences([bar(1), bar(2), bar(5)], MINUTE)).toEqual([[3 * MINUTE, 5 * MINUTE]]);
    expect(silences([bar(1)], MINUTE)).toEqual([]);
  });
});

describe('VWAP bands', () => {
  const DAY = DAY_MS / MINUTE;

  it('weigh by volume, and begin anew with each UTC day', () => {
    const found = bands([bar(0, 100), bar(1, 110, { volume: 3 }), bar(DAY, 200)], MINUTE);
    expect(found[0]).toMatchObject({ vwap: 100, deviation: 0 });
    expect(found[1]?.vwap).toBeCloseTo(107.5);
    expect(found[1]?.deviation).toBeCloseTo(Math.sqrt(18.75));
    expect(found[2]).toMatchObject({ vwap: 200, deviation: 0 });
  });

  it('are not told of a day whose beginning is not here', () => {
    expect(bands([bar(5), bar(6), bar(DAY), bar(DAY + 1)], MINUTE).map((each) => each.time / MINUTE)).toEqual([
      DAY,
      DAY + 1,
    ]);
    expect(bands([bar(0, 100, { volume: 0 })], MINUTE)).toEqual([]);
  });
});
