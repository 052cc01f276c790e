import { expect, test } from 'vitest';
import type { PaperPosition } from './paperPositions.ts';
import { nextTarget, worthOf } from './paperWorth.ts';

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
