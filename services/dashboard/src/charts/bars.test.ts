import { describe, expect, it } from 'vitest';
import { type Bar, barsOf, changedFrom, cvd, emptyTimes, merged, placeOf, silences, touched } from './bars.ts';

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
    expect(times(merged([bar(1), bar(4)], [bar(2), bar(3)]))).toEqual([1, 2, 3, 4]);
  });

  it('stay the same objects where an answer says nothing new, so that nothing is drawn anew', () => {
    const known = [bar(1), bar(2), bar(3)];
    expect(merged(known, [bar(2), bar(3)])).toBe(known);
    const both = merged(known, [bar(2), bar(3, 101)]);
    expect(both[1]).toBe(known[1]);
    expect(both[2]).not.toBe(known[2]);
  });

  it('say from where on they have changed, and nothing if their times are others', () => {
    const known = [bar(1), bar(2), bar(3)];
    const [one, two, three] = known;
    expect(changedFrom(known, merged(known, [bar(3, 101), bar(4)]))).toBe(2);
    expect(changedFrom(known, [...known, bar(4)])).toBe(3);
    expect(changedFrom(known, merged([bar(0)], known))).toBeNull();
    expect(changedFrom([one, three] as Bar[], [one, two, three] as Bar[])).toBeNull();
    expect(changedFrom(known, [one] as Bar[])).toBeNull();
    expect([0, 1, 2, 3, 4].map((minute) => placeOf(known, minute * MINUTE))).toEqual([0, 0, 1, 2, 3]);
  });

  it('move with the last price, and begin the next one', () => {
    const now = touched([bar(1, 100)], 103, MINUTE + 59_999, MINUTE);
    expect(now.at(-1)).toMatchObject({ close: 103, high: 103, low: 100, volume: 1 });
    const next = touched(now, 99, 3 * MINUTE + 1, MINUTE);
    expect(times(next)).toEqual([1, 3]);
    expect(next.at(-1)).toMatchObject({ open: 99, volume: null });
    expect(touched(next, 50, MINUTE, MINUTE)).toBe(next);
    expect(touched(next, 99, 3 * MINUTE + 2, MINUTE)).toBe(next);
    expect(touched([], 50, MINUTE, MINUTE)).toEqual([]);
  });

  it('say where nothing was traded', () => {
    expect(silences([bar(1), bar(2), bar(5)], MINUTE)).toEqual([[3 * MINUTE, 5 * MINUTE]]);
    expect(silences([bar(1)], MINUTE)).toEqual([]);
  });

  it('have no CVD where nobody knows the delta, and go on after it', () => {
    expect(cvd([bar(1, 100, { delta: 2 }), bar(2, 100, { delta: null }), bar(3, 100, { delta: -3 })])).toEqual([
      2,
      null,
      -1,
    ]);
  });

  it('leave room for silence, for the newest first', () => {
    const spans: [number, number][] = [
      [10, 14],
      [20, 23],
    ];
    expect(emptyTimes(spans, 1, 99)).toEqual([10, 11, 12, 13, 20, 21, 22]);
    expect(emptyTimes(spans, 1, 4)).toEqual([13, 20, 21, 22]);
  });
});
