import { expect, test } from 'vitest';
import { parametersOf } from './asking.ts';
import { choices, fits } from './narrowing.ts';

const all = { strategy: null, symbol: null, state: null, from: null };
const signal = { event_time_ms: 2_000, strategy: 'v51', symbol: 'BTCUSDT', state: 'refused' };

test('a signal of the stream is shown when every filter lets it', () => {
  expect(fits(signal, all)).toBe(true);
  expect(fits(signal, { ...all, strategy: 'v51', symbol: 'BTCUSDT', state: 'refused', from: 2_000 })).toBe(true);
  expect(fits(signal, { ...all, strategy: 'v52' })).toBe(false);
  expect(fits(signal, { ...all, symbol: 'ETHUSDT' })).toBe(false);
  expect(fits(signal, { ...all, state: 'emitted' })).toBe(false);
  expect(fits(signal, { ...all, from: 2_001 })).toBe(false);
});

test('the API is asked only for the filters that are set', () => {
  expect(parametersOf(all)).toEqual({});
  expect(parametersOf({ ...all, symbol: 'BTCUSDT', from: 5 })).toEqual({ symbol: 'BTCUSDT', from: 5 });
});

test('a strategy of the address that nobody knows can still be seen and changed', () => {
  expect(choices(['v52', 'v51'], 'old')).toEqual(['old', 'v51', 'v52']);
  expect(choices(['v51'], null)).toEqual(['v51']);
});
