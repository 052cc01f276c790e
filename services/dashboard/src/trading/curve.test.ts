import { expect, test } from 'vitest';
import { curvesOf, deepestFall } from './curve.ts';

test('rows of several strategies become a curve each, and a row without a figure is left out', () => {
  const rows = [
    { strategy: 'v51', at: 1, equity: 10 },
    { strategy: 'v52', at: 1, equity: null },
    { strategy: 'v51', at: 2, equity: 11 },
  ];
  const pointOf = (row: (typeof rows)[number]) => (row.equity === null ? null : { timeMs: row.at, value: row.equity });
  expect(curvesOf(rows, (row) => row.strategy, pointOf)).toEqual([
    {
      name: 'v51',
      points: [
        { timeMs: 1, value: 10 },
        { timeMs: 2, value: 11 },
      ],
    },
  ]);
});

test('the deepest fall is from the highest before it', () => {
  const points = [100, 120, 90, 110, 95].map((value, timeMs) => ({ timeMs, value }));
  expect(deepestFall(points)).toEqual({ fall: 30, share: 0.25 });
  expect(deepestFall([])).toEqual({ fall: 0, share: 0 });
});
