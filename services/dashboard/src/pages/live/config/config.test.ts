import { expect, test } from 'vitest';
import { changesOf, formerOf, listOf, ownSymbols, textsOf, titleOf } from './config.ts';

const document = {
  strategies: ['v51', 'v52'],
  symbols: [],
  risk_per_trade: '10',
  max_positions: 3,
  overrides: { BTCUSDT: { leverage: 3, risk_per_trade: null } },
};

test('a document becomes texts, with a symbol’s own values by their names', () => {
  const texts = textsOf(document);
  expect(texts.strategies).toBe('v51,v52');
  expect(texts['overrides.BTCUSDT.leverage']).toBe('3');
  expect('overrides.BTCUSDT.risk_per_trade' in texts).toBe(false);
  expect(texts.leverage).toBe('5'); // as shipped, where the document does not say
  expect(ownSymbols(texts)).toEqual(['BTCUSDT']);
});

test('only what differs is changed, and a number written otherwise does not differ', () => {
  const before = textsOf(document);
  expect(changesOf(before, { ...before, risk_per_trade: '10.0', strategies: 'v51, v52' })).toEqual({});
  expect(changesOf(before, { ...before, risk_per_trade: '5', max_positions: '8' })).toEqual({
    risk_per_trade: '5',
    max_positions: '8',
  });
});

test('a symbol’s own value that is emptied is taken away, and one may be added', () => {
  const before = textsOf(document);
  const after = { ...before, 'overrides.BTCUSDT.leverage': '', 'overrides.ETHUSDT.max_notional': '500' };
  expect(changesOf(before, after)).toEqual({
    'overrides.BTCUSDT.leverage': 'none',
    'overrides.ETHUSDT.max_notional': '500',
  });
});

test('an empty list is a change, and names are read as words', () => {
  const before = textsOf(document);
  expect(changesOf(before, { ...before, strategies: '' })).toEqual({ strategies: '' });
  expect(listOf(' v51, ,v52 ')).toEqual(['v51', 'v52']);
  expect(titleOf('overrides.BTCUSDT.leverage')).toBe('BTCUSDT: Leverage');
  expect(titleOf('risk_per_trade')).toBe('1 R');
});

test('what takes a change back is what stood there, also of values that a symbol did not have', () => {
  const before = textsOf(document);
  const after = {
    ...before,
    risk_per_trade: '5',
    'overrides.BTCUSDT.leverage': '',
    'overrides.ETHUSDT.max_notional': '500',
  };
  const former = formerOf(before, changesOf(before, after));
  expect(former).toEqual({
    risk_per_trade: '10',
    'overrides.BTCUSDT.leverage': '3',
    'overrides.ETHUSDT.max_notional': '',
  });
  expect(changesOf(before, { ...after, ...former })).toEqual({});
});
