import { expect, test } from 'vitest';
import type { LiveTrade, Position } from '@/stream/protocol.ts';
import {
  distance,
  type LivePosition,
  lossAtStop,
  merged,
  placeBetween,
  sideOf,
  whyGone,
  worthAt,
} from './positions.ts';

const row: LivePosition = {
  account: 'main',
  symbol: 'BTCUSDT',
  quantity: '0.050',
  entry_price: '60000',
  mark_price: '60050',
  unrealised: '2.50',
  protected: true,
  told_at_ms: 1_000,
  trade_id: 't1',
  strategy: 'v51',
  state: 'open',
  stop: '59800',
  take_profit_1: '60200',
  take_profit_2: '60400',
  initial_risk: '10',
  unrealised_r: 0.25,
  hold_until_ms: null,
};

const told = (changes: Partial<Position>): Position => ({
  account: 'main',
  symbol: 'BTCUSDT',
  quantity: '0.050',
  entry_price: '60000',
  mark_price: '60100',
  unrealised: '5.00',
  protected: true,
  event_time_ms: 2_000,
  signal_id: null,
  ...changes,
});

test('what the stream has told since counts, and what is older than the answer does not', () => {
  expect(merged([row], [told({})], [], 'main')[0]?.unrealised).toBe('5.00');
  expect(merged([row], [told({ event_time_ms: 500 })], [], 'main')[0]?.unrealised).toBe('2.50');
});

test('a position that has become flat is gone, and one of another account is none of ours', () => {
  expect(merged([row], [told({ quantity: '0' })], [], 'main')).toEqual([]);
  expect(merged([], [told({ account: 'other' })], [], 'main')).toEqual([]);
});

test('a position that REST has not seen yet stands there without its trade', () => {
  const [found] = merged([], [told({ symbol: 'ETHUSDT' })], [], 'main');
  expect(found).toMatchObject({ symbol: 'ETHUSDT', trade_id: null, stop: null, protected: true });
});

test('the stop that the executor holds now takes the place of an older one', () => {
  const held = { account: 'main', symbol: 'BTCUSDT', stop: '60020', state: 'closing' } as LiveTrade;
  expect(merged([row], [], [held], 'main')[0]).toMatchObject({ stop: '60020', state: 'closing' });
});

test('worth at a mark price, long and short', () => {
  expect(worthAt(row, '60100')).toEqual({ price: 60_100, unrealised: 5, r: 0.5 });
  expect(worthAt({ ...row, quantity: '-0.050' }, '60100').unrealised).toBe(-5);
});

test('without a price or an entry it is worth what was told last', () => {
  expect(worthAt({ ...row, entry_price: null }, '60100')).toEqual({ price: 60_100, unrealised: 2.5, r: 0.25 });
  expect(worthAt({ ...row, initial_risk: null }, null).r).toBe(null);
});

test('distances, the place between stop and target, and the loss at the stop', () => {
  expect(distance('59800', 59_800 * 2)).toBeCloseTo(-0.5);
  expect(placeBetween('59800', '60200', 60_100)).toBeCloseTo(0.75);
  expect(placeBetween('60200', '59800', 60_100)).toBeCloseTo(0.25); // short: the stop lies above
  expect(placeBetween('59800', '60200', 61_000)).toBe(1);
  expect(lossAtStop(row, '59800')).toBeCloseTo(-10);
  expect(lossAtStop({ ...row, quantity: '-0.050' }, '60200')).toBeCloseTo(-10);
  expect(sideOf('-0.1')).toBe('short');
});

test('a position that is meant is looked up anew: it may be gone, or be another trade', () => {
  expect(whyGone([row], { symbol: 'BTCUSDT', tradeId: 't1' })).toBe(null);
  expect(whyGone([{ ...row, trade_id: null }], { symbol: 'BTCUSDT', tradeId: 't1' })).toBe(null);
  expect(whyGone([row], { symbol: 'BTCUSDT', tradeId: null })).toBe(null);
  expect(whyGone([row], { symbol: 'ETHUSDT', tradeId: 't1' })).toMatch(/ETHUSDT is gone$/);
  expect(whyGone([{ ...row, trade_id: 't2' }], { symbol: 'BTCUSDT', tradeId: 't1' })).toMatch(/another trade/);
});
