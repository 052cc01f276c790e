import { expect, test } from 'vitest';
import { allowanceOf, allowanceWords } from './allowance.ts';

const texts = {
  strategies: 'v51',
  symbols: '',
  blacklist: 'DOGEUSDT',
  risk_per_trade: '10',
  max_positions: '5',
  'overrides.SOLUSDT.risk_per_trade': '25',
};
const symbols = ['BTCUSDT', 'DOGEUSDT', 'ETHUSDT', 'SOLUSDT', 'XRPUSDT'];

test('the worst case counts as many more as are allowed, those that risk most first', () => {
  const found = allowanceOf(texts, { open: 1, held: ['BTCUSDT'], symbols });
  expect(found).toEqual({ open: 1, most: 5, more: 3, worst: -45, isByHandOnly: false });
  expect(allowanceOf({ ...texts, max_positions: '2' }, { open: 1, held: ['BTCUSDT'], symbols }).worst).toBe(-25);
  expect(allowanceOf({ ...texts, symbols: 'BTCUSDT,ETHUSDT' }, { open: 0, held: [], symbols }).worst).toBe(-20);
});

test('nothing more is let in where all places are taken, or the symbol is none of ours', () => {
  const full = allowanceOf({ ...texts, max_positions: '1' }, { open: 1, held: ['BTCUSDT'], symbols });
  expect(full).toMatchObject({ more: 0, worst: 0 });
  expect(allowanceWords(full)).toMatch(/^1 of 1 positions are taken/);
  const never = allowanceOf(texts, { open: 0, held: [], symbols: ['DOGEUSDT'] });
  expect(allowanceWords(never)).toMatch(/worst case stays as it is/);
});

test('it is said in positions, R and quote units, and a risk that is not known is none of 0', () => {
  const found = allowanceOf(texts, { open: 2, held: ['BTCUSDT', 'ETHUSDT'], symbols });
  expect(allowanceWords(found)).toBe(
    '2 → 4 positions at most: worst case −2.00\u202fR (−35.00 USDT) more, at their stops and before costs.',
  );
  const unknown = allowanceOf({ ...texts, risk_per_trade: '' }, { open: 2, held: ['BTCUSDT', 'ETHUSDT'], symbols });
  expect(unknown.worst).toBe(null);
  expect(allowanceWords({ ...unknown, isByHandOnly: true })).toMatch(/−2.00\u202fR more, .* entries by hand\.$/);
});
