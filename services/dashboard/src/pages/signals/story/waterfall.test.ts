import { expect, test } from 'vitest';
import { contributionOf, place, waterfallOf } from './waterfall.ts';

const part = (factor: string, contribution: number) => contributionOf({ factor, contribution, value: 1, weight: 0.5 });

test('each bar begins where the one before ended, and the last ends at the score', () => {
  const { steps, total } = waterfallOf([part('a', 0.5), part('b', 0.3), part('c', -0.2)], 60);
  expect(steps.map(({ from, to }) => [Math.round(from), Math.round(to)])).toEqual([
    [0, 50],
    [50, 80],
    [80, 60],
  ]);
  expect(total).toBeCloseTo(60);
});

test('a short signal goes to the other side', () => {
  expect(waterfallOf([part('a', -0.4), part('b', -0.35)], 60).total).toBeCloseTo(-75);
});

test('the axis shows the threshold even when nothing comes near it', () => {
  const { reach } = waterfallOf([part('a', 0.05)], 60);
  expect(reach).toBeGreaterThan(60);
  expect(place(0, reach)).toBe(50);
  expect(place(reach, reach)).toBe(100);
  expect(place(-2 * reach, reach)).toBe(0);
});

test('an event without coverage or with an omission is read as it is', () => {
  expect(contributionOf({ factor: 'oi', omitted: 'open interest was 4 min old' })).toEqual({
    factor: 'oi',
    value: 0,
    weight: 0,
    contribution: 0,
    omitted: 'open interest was 4 min old',
    coverage: null,
  });
});
