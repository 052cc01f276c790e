import { expect, test } from 'vitest';
import type { PaperPosition } from './paperPositions.ts';
import { madeByOpen, nextTarget, worthOf } from './paperWorth.ts';

const row = {
  direction: 'short',
  entry_price: '100',
  quantity: '2',
  quantity_left: '2',
  risk: '10',
  price: '99',
  unrealised: '2',
  unrealised_r: 0.2,
  take_profit_1: '95',
  take_profit_2: '90',
} as PaperPosition;

test('a short position gains when the price falls', () => {
  expect(worthOf(row, '95')).toEqual({ price: 95, unrealised: 10, r: 1 });
  expect(worthOf({ ...row, direction: 'long' }, '95').unrealised).toBe(-10);
});

test('only what is left counts, and without a newer price it is worth what was told', () => {
  expect(worthOf({ ...row, quantity_left: '1' }, '95').unrealised).toBe(5);
  expect(worthOf(row, null)).toEqual({ price: 99, unrealised: 2, r: 0.2 });
  expect(worthOf({ ...row, entry_price: null }, '95')).toEqual({ price: 95, unrealised: 2, r: 0.2 });
});

test('after the first target the second is next', () => {
  expect(nextTarget(row)).toBe('95');
  expect(nextTarget({ ...row, quantity_left: '1' })).toBe('90');
});

test('open trades have made what they realised by parts and what the rest is worth', () => {
  const half = { ...row, symbol: 'BTCUSDT', state: 'open', quantity_left: '1', net: '4' } as PaperPosition;
  const other = { ...half, symbol: 'ETHUSDT', net: '-1.5' };
  const lastOf = (symbol: string) => (symbol === 'BTCUSDT' ? '95' : null);
  expect(madeByOpen([half, other], lastOf)).toEqual({ quote: 8.5, r: 0.85 }); // 4 + 5, and -1.5 + 1 at the price that was told
  expect(madeByOpen([half, { ...other, state: 'ordered' }], lastOf)).toEqual({ quote: 9, r: 0.9 });
  expect(madeByOpen([half, { ...other, risk: null }], lastOf)).toEqual({ quote: 8.5, r: null });
  expect(madeByOpen([{ ...half, net: null }], lastOf)).toEqual({ quote: null, r: null });
  expect(madeByOpen([], lastOf)).toEqual({ quote: 0, r: 0 });
});
