import { expect, it } from 'vitest';
import type { Bar } from './bars.ts';
import { Candles, MOST_BARS, type Query } from './candles.ts';

const MINUTE = 60_000;
const bar = (minute: number, close = 100): Bar => {
  const price = { open: close, high: close, low: close, close };
  return { time: minute * MINUTE, ...price, volume: 1, delta: 1, vwap: close };
};
const minutes = (candles: Candles) => candles.view().bars.map((each) => each.time / MINUTE);

/** A market with a candle each minute from `first` to `last`; what was asked of it. */
function market(first: number, last: { minute: number }) {
  const asked: Query[] = [];
  const ask = async (query: Query): Promise<Bar[]> => {
    asked.push(query);
    const all = Array.from({ length: last.minute - first + 1 }, (_, index) => bar(first + index));
    const fitting = all.filter(
      ({ time }) => time >= (query.from ?? 0) && time < (query.to ?? Number.POSITIVE_INFINITY),
    );
    return query.from === undefined ? fitting.slice(-query.limit) : fitting.slice(0, query.limit);
  };
  return { asked, ask };
}

it('asks for all at first, then only for what is new, and to the left until there is no more', async () => {
  const last = { minute: 2_000 };
  const { asked, ask } = market(0, last);
  const candles = new Candles({ ask, length: MINUTE });
  expect(candles.view().isLoading).toBe(true);
  await candles.refresh(last.minute * MINUTE);
  expect(minutes(candles)).toHaveLength(MOST_BARS);
  last.minute += 2;
  await candles.refresh(last.minute * MINUTE);
  expect(asked[1]).toEqual({ from: 1_999 * MINUTE, limit: MOST_BARS });
  expect(minutes(candles).at(-1)).toBe(2_002);
  await candles.older();
  expect(minutes(candles)[0]).toBe(0);
  await candles.older();
  await candles.older();
  expect(asked).toHaveLength(4);
  expect(new Set(minutes(candles)).size).toBe(2_003);
});

it('begins anew after a sleep that is longer than an answer, rather than show a hole', async () => {
  const last = { minute: 10 };
  const { asked, ask } = market(0, last);
  const candles = new Candles({ ask, length: MINUTE });
  await candles.refresh(last.minute * MINUTE);
  last.minute = 9_000;
  await candles.refresh(last.minute * MINUTE);
  expect(asked[1]?.from).toBeUndefined();
  expect(minutes(candles)[0]).toBe(9_000 - MOST_BARS + 1);
});

it('keeps what is known when a question fails, and says so until the next one works', async () => {
  const good = market(0, { minute: 5 });
  let isDown = false;
  const ask = (query: Query) => (isDown ? Promise.reject(new Error('away')) : good.ask(query));
  const candles = new Candles({ ask, length: MINUTE });
  await candles.refresh(5 * MINUTE);
  isDown = true;
  await candles.refresh(6 * MINUTE);
  expect(candles.view().error).toBeInstanceOf(Error);
  expect(minutes(candles)).toHaveLength(6);
  isDown = false;
  await candles.refresh(6 * MINUTE);
  expect(candles.view().error).toBeNull();
});

it('moves with trades, and takes their candle over when it is answered', async () => {
  const last = { minute: 5 };
  const candles = new Candles({ ask: market(0, last).ask, length: MINUTE });
  candles.touch(1, 0);
  expect(minutes(candles)).toEqual([]);
  await candles.refresh(5 * MINUTE);
  candles.touch(120, 6 * MINUTE + 5);
  expect(candles.view().bars.at(-1)).toMatchObject({ time: 6 * MINUTE, close: 120, volume: null });
  last.minute = 6;
  await candles.refresh(6 * MINUTE);
  expect(candles.view().bars.at(-1)).toMatchObject({ time: 6 * MINUTE, close: 100, volume: 1 });
});
