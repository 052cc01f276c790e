import { describe, expect, it } from 'vitest';
import { type Bar, cvd, DAY_MS } from './bars.ts';
import { Sums } from './sums.ts';
import { bands } from './vwap.ts';

const MINUTE = 60_000;
const DAY = DAY_MS / MINUTE;
const bar = (minute: number, price: number, volume: number | null = 1): Bar => {
  const prices = { open: price, high: price, low: price, close: price, vwap: price };
  return { time: minute * MINUTE, ...prices, volume, delta: volume };
};

describe('VWAP bands', () => {
  it('weigh by volume, and begin anew with each UTC day', () => {
    const found = bands([bar(0, 100), bar(1, 110, 3), bar(DAY, 200)]);
    expect(found[0]).toMatchObject({ vwap: 100, deviation: 0 });
    expect(found[1]?.vwap).toBeCloseTo(107.5);
    expect(found[1]?.deviation).toBeCloseTo(Math.sqrt(18.75));
    expect(found[2]).toMatchObject({ vwap: 200, deviation: 0, since: DAY_MS });
  });

  it('of a day whose beginning is not here say since when they are', () => {
    const found = bands([bar(565, 100), bar(566, 102)]);
    expect(found[1]).toMatchObject({ vwap: 101, since: 565 * MINUTE });
    expect(bands([bar(0, 100, 0)])).toEqual([null]);
  });

  it('are not moved by a candle whose volume nobody knows yet', () => {
    expect(bands([bar(1, 100), bar(2, 900, null)])[1]?.vwap).toBe(100);
  });
});

it('sums followed step by step are those of all at once', () => {
  const bars = [bar(DAY - 2, 100), bar(DAY - 1, 110, 3), bar(DAY, 200, null), bar(DAY + 1, 210, 2)];
  const sums = new Sums();
  sums.follow(bars.slice(0, 3), 0);
  const newer = bars.with(2, bar(DAY, 205, 4));
  sums.follow(newer, 2);
  expect(sums.bands).toEqual(bands(newer));
  expect(sums.cvd).toEqual(cvd(newer));
  sums.follow(newer.slice(1), 0);
  expect(sums.cvd).toEqual(cvd(newer.slice(1)));
});
