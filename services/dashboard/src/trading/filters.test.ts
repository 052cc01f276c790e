import { expect, test } from 'vitest';
import { beginningOf, picked, withValue } from './filters.ts';

test('a filter of the address counts only when it may be chosen', () => {
  const parameters = new URLSearchParams('state=emitted&symbol=BTCUSDT&span=');
  expect(picked(parameters, 'state', ['emitted', 'refused'])).toBe('emitted');
  expect(picked(parameters, 'state', ['refused'])).toBe(null);
  expect(picked(parameters, 'symbol')).toBe('BTCUSDT');
  expect(picked(parameters, 'span')).toBe(null);
});

test('changing one filter leaves the other ones', () => {
  const parameters = new URLSearchParams('state=emitted&symbol=BTCUSDT');
  expect(withValue(parameters, 'state', null).toString()).toBe('symbol=BTCUSDT');
  expect(withValue(parameters, 'strategy', 'v52').get('symbol')).toBe('BTCUSDT');
  expect(parameters.get('state')).toBe('emitted');
});

test('a span begins on a minute, so that a second later it is the same question', () => {
  const now = 1_796_000_030_000;
  expect(beginningOf('1h', now)).toBe(beginningOf('1h', now + 1_000));
  expect(beginningOf('1h', now) ?? 0).toBeLessThanOrEqual(now - 3_600_000);
  expect(beginningOf('all', now)).toBe(null);
  expect(beginningOf(null, now)).toBe(null);
});
