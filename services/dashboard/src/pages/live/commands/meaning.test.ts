import { expect, test } from 'vitest';
import type { LivePosition } from '@/trading/positions.ts';
import { bracketOf, isDecimal, stopMove } from './meaning.ts';

const long = { quantity: '0.05', entry_price: '60000', stop: '59800' } as LivePosition;
const short = { quantity: '-0.05', entry_price: '60000', stop: '60200' } as LivePosition;

test('a price is decimal text as the API takes it', () => {
  expect(isDecimal('61250.5')).toBe(true);
  for (const text of ['', '0', '-1', '1e5', '1,5', ' 1', '.5', 'NaN']) expect(isDecimal(text)).toBe(false);
});

test('a stop that comes closer lowers the loss and needs no second factor', () => {
  expect(stopMove(long, '59900', 60_100)).toEqual({ trouble: null, isTighter: true, before: -10, after: -5 });
  expect(stopMove(short, '60100', 59_900)).toMatchObject({ trouble: null, isTighter: true, after: -5 });
});

test('a stop that goes away raises the risk', () => {
  expect(stopMove(long, '59700', 60_100)).toMatchObject({ isTighter: false, after: -15 });
  expect(stopMove(short, '60300', 59_900)).toMatchObject({ isTighter: false, after: -15 });
  expect(stopMove({ ...long, stop: null }, '59900', 60_100).isTighter).toBe(false);
});

test('a stop where the price is already is none', () => {
  expect(stopMove(long, '60200', 60_100).trouble).toMatch(/close the position/);
  expect(stopMove(short, '59800', 59_900).trouble).toMatch(/close the position/);
  expect(stopMove(long, 'x', 60_100).trouble).toMatch(/price above 0/);
});

const asked = { direction: 'long', stop: '59400', target: '60900', target2: '', risk: '12' } as const;

test('an entry is sized from its stop', () => {
  const bracket = bracketOf(asked, 60_000);
  expect(bracket).toMatchObject({ trouble: null, distance: 0.01, rewardByRisk: 1.5, quantity: 0.02, notional: 1_200 });
});

test('a stop or a target on the wrong side of the price is said before it is sent', () => {
  expect(bracketOf({ ...asked, direction: 'short' }, 60_000).trouble).toMatch(/above the price/);
  expect(bracketOf({ ...asked, target: '59000' }, 60_000).trouble).toMatch(/target of a long lies above/);
  expect(bracketOf({ ...asked, stop: '' }, 60_000).trouble).toMatch(/give the stop/);
  expect(bracketOf({ ...asked, target2: 'x' }, 60_000).trouble).toMatch(/second target/);
  expect(bracketOf({ ...asked, risk: '0' }, 60_000).trouble).toMatch(/1 R/);
});

test('without a price nothing is claimed', () => {
  expect(bracketOf(asked, null)).toMatchObject({ trouble: null, quantity: null });
});
