import { expect, test } from 'vitest';
import { inputRows } from './inputs.ts';

test('the age of an input stands beside it, and is no input itself', () => {
  expect(inputRows({ open_interest: '81000', open_interest_age_ms: '240000' }, {})).toEqual([
    { name: 'open_interest', value: '81000', ageMs: 240_000, coverage: null },
  ]);
});

test('what is made of a window has the coverage of that window', () => {
  const [cvd, price] = inputRows({ cvd_30m: '-12.5', price: null }, { '5m': 1, '30m': 0.82 });
  expect(cvd).toMatchObject({ coverage: 0.82, ageMs: null });
  expect(price).toMatchObject({ value: null, coverage: null });
});
