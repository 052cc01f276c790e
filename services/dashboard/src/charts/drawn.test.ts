import { describe, expect, it } from 'vitest';
import type { Schema } from '@/api/client.ts';
import { levelName, timeMark } from './axis.ts';
import { type Held, levelsOf, liveLines, paperLines } from './drawn.ts';

const held = (name: string, changes: Partial<Held> = {}): Held => ({
  name,
  isPaper: true,
  entry: '100',
  stop: '95',
  targets: ['105', null],
  ...changes,
});

describe('levels', () => {
  it('of paper say so, and those of money stand apart from them', () => {
    const titles = levelsOf([held('v51', { isPaper: false }), held('v51')]).map((level) => level.title);
    expect(titles).toEqual(['v51 entry', 'v51 stop', 'v51 TP1', 'paper v51 entry', 'paper v51 stop', 'paper v51 TP1']);
  });

  it('that several strategies share are one line with a short name', () => {
    const levels = levelsOf([held('v51'), held('v52', { targets: [] })]);
    expect(levels.map(({ title, price }) => [title, price])).toEqual([
      ['paper 2 × entry', 100],
      ['paper 2 × stop', 95],
      ['paper v51 TP1', 105],
    ]);
    expect(levelName(['mean_reversion'], 'stop', false)).toBe('mean_re… stop');
  });
});

const live = (changes: Partial<Schema<'LiveTradeAnswer'>>) =>
  ({
    trade_id: 'a',
    strategy: 'v51',
    direction: 'short',
    entry_time_ms: 5,
    entry_price: '100',
    exit_time_ms: null,
    exit_price: null,
    quantity_left: '2',
    pnl_quote: '0',
    ...changes,
  }) as Schema<'LiveTradeAnswer'>;

describe('trades', () => {
  it('of the account that are open are worth what the mark price makes of them', () => {
    expect(liveLines([live({})], '90', 9)).toMatchObject([{ name: 'v51', exitPrice: 90, exitTime: 9, result: 20 }]);
    expect(liveLines([live({})], undefined, 9)).toEqual([]);
    expect(liveLines([live({ entry_time_ms: null })], '90', 9)).toEqual([]);
    const closed = live({ exit_time_ms: 7, exit_price: '101', pnl_quote: '-2.5' });
    expect(liveLines([closed], '90', 9)).toMatchObject([{ exitTime: 7, exitPrice: 101, result: -2.5 }]);
  });

  it('of paper say so, and a result that nobody knows is not a win', () => {
    const trade = { ...live({ exit_time_ms: 7, exit_price: '101' }), net: null } as unknown;
    const [line] = paperLines([trade as Schema<'PaperTradeAnswer'>], 9);
    expect(line).toMatchObject({ name: 'paper v51', result: null });
  });
});

it('marks of the time axis say the day, the minute or the second', () => {
  const at = Date.UTC(2026, 10, 29, 21, 4, 7);
  expect([2, 3, 4].map((kind) => timeMark(at, kind, 'utc'))).toEqual(['11-29', '21:04', '21:04:07']);
});
