import { expect, it } from 'vitest';
import type { Drawn } from './overlay.ts';
import { factsOf, happeningsAt } from './pointed.ts';
import { isOver, isSameStretches, once, pagesOf, stretchesOf } from './stretches.ts';

const MINUTE = 60_000;
const signal = (id: string, time: number, isEmitted: boolean) => ({
  id,
  name: 'v51',
  time,
  price: 1,
  isLong: true,
  isEmitted,
  score: 78.4,
});
const drawn: Drawn = {
  signals: [signal('a', 5, false), signal('b', MINUTE - 1, true), signal('c', MINUTE, true)],
  trades: [
    {
      id: 't',
      name: 'paper v51',
      entryTime: 10,
      entryPrice: 1,
      exitTime: 3 * MINUTE,
      exitPrice: 1,
      result: null,
      isOpen: true,
    },
  ],
  holes: [{ from: 2 * MINUTE, to: 5 * MINUTE, isLoss: false }],
};

it('the box says what happened in the candle, what led to something first', () => {
  expect(happeningsAt(0, drawn, MINUTE).map(({ text }) => text)).toEqual([
    '▲ v51 long, score 78, emitted',
    '△ v51 long, score 78, refused',
    '─ paper v51 open, – USDT',
  ]);
  expect(happeningsAt(2 * MINUTE, drawn, MINUTE)[0]).toMatchObject({ tone: 'degraded', text: '▨ no trade for 3 min' });
  expect(happeningsAt(5 * MINUTE, drawn, MINUTE)).toEqual([]);
  const many = { ...drawn, signals: Array.from({ length: 9 }, (_, index) => signal(`${index}`, 0, false)) };
  expect(happeningsAt(0, many, MINUTE).map(({ text }) => text)).toContain('and 4 more signals');
});

it('what nobody knows of a candle is a dash', () => {
  const facts = new Map(
    factsOf({ time: 0, bar: null, cvd: null, band: null }, { decimals: 2, length: MINUTE, zone: 'utc' }),
  );
  expect([facts.get('CVD'), facts.get('volume'), facts.get('VWAP'), facts.get('±1 sd')]).toEqual(['–', '–', '–', '–']);
  const band = { time: 0, vwap: 1_000, deviation: 2, since: 565 * MINUTE };
  const known = new Map(factsOf({ time: 0, bar: null, cvd: -3, band }, { decimals: 1, length: MINUTE, zone: 'utc' }));
  expect(known.get('VWAP since 09:25')).toBe('1\u202f000.0');
  expect(known.get('±2 sd')).toBe('996.0 … 1\u202f004.0');
  expect(known.get('CVD')).toBe('−3.00');
});

it('what is drawn is asked for by stretches that stay the same while one scrolls within them', () => {
  const size = 240;
  expect(stretchesOf(size + 1, 2 * size + 1, 1)).toEqual([
    { from: size, to: 2 * size },
    { from: 2 * size, to: 3 * size },
  ]);
  expect(stretchesOf(0, 1_000 * size, 1)).toHaveLength(16);
  expect(stretchesOf(0, 1_000 * size, 1).at(-1)?.from).toBe(1_000 * size);
  expect([isOver(size, size - 1), isOver(size, size + 2 * MINUTE)]).toEqual([false, true]);
  expect(isSameStretches({ from: 1, to: 5 }, { from: 200, to: 239 }, 1)).toBe(true);
  expect(isSameStretches({ from: 1, to: 5 }, { from: 1, to: 240 }, 1)).toBe(false);
});

it('lists come page by page, each row once', async () => {
  const pages = await pagesOf(async (cursor) => ({ rows: [cursor], next_cursor: `${cursor}x` }), 3);
  expect(pages.map(({ rows }) => rows[0])).toEqual([null, 'nullx', 'nullxx']);
  expect(once(['a', 'b', 'a'], (row) => row)).toEqual(['a', 'b']);
});
