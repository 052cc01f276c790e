import { expect, it } from 'vitest';
import { type Bar, touched } from './bars.ts';
import { type CandlePorts, Candles, MOST_BARS, MOST_KEPT, type Query } from './candles.ts';

const MINUTE = 60_000;
const bar = (minute: number, close = 100): Bar => {
  const price = { open: close, high: close, low: close, close };
  return { time: minute * MINUTE, ...price, volume: 1, delta: 1, vwap: close };
};
const minutes = (candles: Candles<Bar>) => candles.view().bars.map((each) => each.time / MINUTE);
const touch = (candles: Candles<Bar>, price: number, minute: number) =>
  candles.move((bars) => touched(bars, price, minute * MINUTE, MINUTE));

interface Market {
  last: number;
  isDown: boolean;
  asked: Query[];
  ports: CandlePorts<Bar>;
}

/** Candles from `first` to `last` without those of the hole, answered as the API does: a window of time, not so many candles. */
function market(first: number, last: number, isHole: (minute: number) => boolean = () => false): Market {
  const has = (minute: number) => minute >= first && minute <= known.last && !isHole(minute);
  const ask = async (query: Query): Promise<Bar[]> => {
    known.asked.push(query);
    if (known.isDown) throw new Error('away');
    const end = query.to === undefined ? known.last + 1 : query.to / MINUTE;
    const begin = query.from === undefined ? Math.max(0, end - query.limit) : query.from / MINUTE;
    if (end - begin > MOST_BARS) throw new Error('from and to span too much');
    return Array.from({ length: Math.max(0, end - begin) }, (_, index) => begin + index)
      .filter(has)
      .map((minute) => bar(minute));
  };
  const before = async (time: number) => {
    for (let minute = time / MINUTE - 1; minute >= first; minute -= 1) if (has(minute)) return (minute + 1) * MINUTE;
    return null;
  };
  const known: Market = { last, isDown: false, asked: [], ports: { ask, before, length: MINUTE } };
  return known;
}

it('asks for all at first, then only for what is new, and to the left until there is no more', async () => {
  const trading = market(0, 2_000);
  const candles = new Candles(trading.ports);
  expect(candles.view().isLoading).toBe(true);
  await candles.refresh(2_000 * MINUTE);
  expect(minutes(candles)).toHaveLength(MOST_BARS);
  trading.last += 2;
  await candles.refresh(trading.last * MINUTE);
  expect(trading.asked[1]).toEqual({ from: 1_999 * MINUTE, limit: MOST_BARS });
  expect(minutes(candles).at(-1)).toBe(2_002);
  await candles.older();
  expect(minutes(candles)[0]).toBe(0);
  await candles.older();
  await candles.older();
  expect(trading.asked).toHaveLength(4);
  expect(new Set(minutes(candles)).size).toBe(2_003);
});

it('asks from the last candle that was answered, however many trades have drawn since', async () => {
  const trading = market(0, 5);
  const candles = new Candles(trading.ports);
  await candles.refresh(5 * MINUTE);
  trading.last = 14;
  touch(candles, 101, 6.5);
  touch(candles, 102, 14.5);
  expect(minutes(candles)).toEqual([0, 1, 2, 3, 4, 5, 6, 14]);
  await candles.refresh(15 * MINUTE);
  expect(trading.asked[1]).toEqual({ from: 4 * MINUTE, limit: MOST_BARS });
  expect(minutes(candles)).toEqual(Array.from({ length: 15 }, (_, minute) => minute));
  expect(candles.view().bars.every((each) => each.volume === 1)).toBe(true);
});

it('begins anew after a sleep that is longer than an answer, rather than show a hole', async () => {
  const trading = market(0, 10);
  const candles = new Candles(trading.ports);
  await candles.refresh(10 * MINUTE);
  trading.last = 9_000;
  await candles.refresh(trading.last * MINUTE);
  expect(trading.asked[1]?.from).toBeUndefined();
  expect(minutes(candles)[0]).toBe(9_000 - MOST_BARS + 1);
});

it('keeps its history through a halt that is longer than an answer', async () => {
  const trading = market(0, 4_000);
  const candles = new Candles(trading.ports);
  await candles.refresh(4_000 * MINUTE);
  await candles.older();
  await candles.refresh(9_000 * MINUTE);
  expect(minutes(candles)[0]).toBe(4_000 - 2 * MOST_BARS + 1);
});

it('does not take a recording of long ago for a sleep', async () => {
  const trading = market(0, 100);
  const candles = new Candles(trading.ports);
  await candles.refresh(900_000 * MINUTE);
  await candles.refresh(900_001 * MINUTE);
  expect(trading.asked[1]).toEqual({ from: 99 * MINUTE, limit: MOST_BARS });
});

it('keeps what is known when a question fails, says so and since when, and fills in what was missed', async () => {
  const trading = market(0, 5);
  const candles = new Candles(trading.ports);
  await candles.refresh(5 * MINUTE);
  trading.isDown = true;
  await candles.refresh(6 * MINUTE);
  expect(candles.view().error).toBeInstanceOf(Error);
  expect(candles.view().answeredAt).toBe(5 * MINUTE);
  expect(minutes(candles)).toHaveLength(6);
  trading.isDown = false;
  trading.last = 8;
  await candles.refresh(9 * MINUTE);
  expect(candles.view()).toMatchObject({ error: null, answeredAt: 9 * MINUTE });
  expect(minutes(candles)).toHaveLength(9);
});

it('moves with trades, and takes their candle over when it is answered', async () => {
  const trading = market(0, 5);
  const candles = new Candles(trading.ports);
  touch(candles, 1, 0);
  expect(minutes(candles)).toEqual([]);
  await candles.refresh(5 * MINUTE);
  touch(candles, 120, 6.1);
  expect(candles.view().bars.at(-1)).toMatchObject({ time: 6 * MINUTE, close: 120, volume: null });
  trading.last = 6;
  await candles.refresh(6 * MINUTE);
  expect(candles.view().bars.at(-1)).toMatchObject({ time: 6 * MINUTE, close: 100, volume: 1 });
});

it('goes on to the left beyond a hole that is longer than an answer', async () => {
  const trading = market(0, 9_000, (minute) => minute > 1_000 && minute < 8_000);
  const candles = new Candles(trading.ports);
  await candles.refresh(9_000 * MINUTE);
  expect(minutes(candles)[0]).toBe(8_000);
  await candles.older();
  expect(minutes(candles)[0]).toBe(0);
});

it('says that nothing came from the left, without calling what is new old', async () => {
  const trading = market(0, 4_000);
  const candles = new Candles(trading.ports);
  await candles.refresh(4_000 * MINUTE);
  trading.isDown = true;
  await candles.older();
  expect(candles.view()).toMatchObject({ error: null, olderError: expect.any(Error) });
  trading.isDown = false;
  await candles.older();
  expect(candles.view().olderError).toBeNull();
});

it('keeps so many and no more, unless somebody went to the left for them', async () => {
  const trading = market(0, 20_000);
  const candles = new Candles(trading.ports);
  await candles.refresh(20_000 * MINUTE);
  candles.move((bars) => [...bars, ...Array.from({ length: 19_999 }, (_, index) => bar(20_001 + index))]);
  expect(minutes(candles).length).toBeLessThanOrEqual(MOST_KEPT + MOST_BARS);
  expect(minutes(candles).at(-1)).toBe(39_999);
});

it('of the past asks once, up to its end', async () => {
  const trading = market(0, 9_000);
  const candles = new Candles({ ...trading.ports, end: 5_000 * MINUTE });
  await candles.refresh(9_000 * MINUTE);
  await candles.refresh(9_001 * MINUTE);
  expect(trading.asked).toEqual([{ to: 5_000 * MINUTE, limit: MOST_BARS }]);
  expect(minutes(candles).at(-1)).toBe(4_999);
});
