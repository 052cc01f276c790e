import { describe, expect, it } from 'vitest';
import { type Axis, candleAt, marketNow, stretchOf } from './places.ts';

/** Candles of one second at 10, 11, 12 and 20: between them nothing was traded, and the axis has no place for it. */
const TIMES = [10, 11, 12, 20];
const axis: Axis = {
  first: 10,
  last: 20,
  length: 1,
  placeOf: (time) => {
    const place = TIMES.findIndex((each) => each >= time);
    return place < 0 ? TIMES.length - 1 : place;
  },
};

describe('a time axis of candles', () => {
  it('has a place for each instant from its first candle on', () => {
    expect([9, 10.4, 12, 15, 20, 99].map((time) => candleAt(time, axis))).toEqual([null, 0, 2, 3, 3, 3]);
  });

  it('shows a stretch from edge to edge, the candles that it only touches with it', () => {
    expect(stretchOf(11, 12, axis)).toEqual([0.5, 1.5]);
    expect(stretchOf(11.2, 11.4, axis)).toEqual([0.5, 1.5]);
    expect(stretchOf(13, 20, axis)).toEqual([2.5, 2.5]);
  });

  it('begins at its edge what began before it, and leaves out what had ended by then', () => {
    expect(stretchOf(1, 12, axis)).toEqual([-0.5, 1.5]);
    expect(stretchOf(1, 10, axis)).toBeNull();
  });

  it('goes on evenly after its last candle', () => {
    expect(stretchOf(21, 26, axis)).toEqual([3.5, 8.5]);
  });
});

it('the market is at our time, or as far behind as a recording is', () => {
  const day = 86_400_000;
  expect(marketNow(10 * day, 10 * day - 60_000, 5)).toBe(10 * day);
  expect(marketNow(10 * day, day, 8 * day)).toBe(2 * day);
  expect(marketNow(10 * day, day, null)).toBe(day);
});
