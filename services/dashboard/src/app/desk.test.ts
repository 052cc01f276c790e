import { expect, test } from 'vitest';
import { isOnPaper, modeOf } from './desk.ts';

test('whose money it is says only whoever has said it', () => {
  expect(modeOf('binance', 'production')).toBe('production');
  expect(modeOf('binance', 'demo')).toBe('demo');
  expect(modeOf('binance', 'paper')).toBe('paper');
  expect(modeOf('binance', null)).toBe(null);
  expect(modeOf('binance', undefined)).toBe(null);
  expect(modeOf('binance', 'something newer')).toBe(null);
  expect(modeOf(undefined, 'paper')).toBe(null);
});

test('a simulated venue moves nobody’s money, whatever is not known', () => {
  expect(modeOf('simulator', 'demo')).toBe('simulator');
  expect(modeOf('simulator', null)).toBe('simulator');
});

test('the day is nobody’s until the executor is heard', () => {
  expect(isOnPaper('paper')).toBe(true);
  expect(isOnPaper('production')).toBe(false);
  expect(isOnPaper(null)).toBe(null);
  expect(isOnPaper(undefined)).toBe(null);
});
