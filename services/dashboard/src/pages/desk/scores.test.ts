import { expect, test } from 'vitest';
import type { Indicators } from '@/stream/protocol.ts';
import { heat, leastCoverage, loudest, type Score, scoreRows, strategiesOf } from './scores.ts';

const score = (changes: Partial<Score>): Score => ({
  strategy: 'v51',
  version: 1,
  score: 45,
  threshold: 60,
  direction: 'long',
  ...changes,
});

const features = (symbol: string, scores: Score[]) =>
  ({
    symbol,
    scores,
    coverage_5m: 1,
    coverage_30m: null,
    coverage_4h: 0.82,
  }) as unknown as Indicators;

test('rows stand by symbol, and know which strategy is nearest to its threshold', () => {
  const rows = scoreRows([
    features('ETHUSDT', [score({ score: 30 }), score({ strategy: 'v52', score: 45, threshold: 45 })]),
    features('BTCUSDT', [score({})]),
  ]);
  expect(rows.map((row) => [row.symbol, row.nearest])).toEqual([
    ['BTCUSDT', 0.75],
    ['ETHUSDT', 1],
  ]);
  expect(strategiesOf(rows)).toEqual(['v51', 'v52']);
});

test('heat is full only where the threshold is reached', () => {
  expect(heat(score({ score: 60 }))).toBe(5);
  expect(heat(score({ score: 59.9 }))).toBe(4);
  expect(heat(score({ score: 0 }))).toBe(0);
});

test('a cell says what speaks loudest, whichever way', () => {
  const contributions = { cvd_momentum: 0.31, vwap_distance: -0.08, atr_regime: -0.2, flow: 0.01 };
  expect(loudest(score({ contributions }))).toBe('cvd momentum +31, atr regime −20, vwap distance −8');
  expect(loudest(score({}))).toBe('no factor had an opinion');
});

test('coverage is that of the worst window that says one', () => {
  const known = features('BTCUSDT', []);
  expect(leastCoverage(known)).toBe(0.82);
  expect(leastCoverage({ coverage_5m: null, coverage_30m: null, coverage_4h: null })).toBe(null);
});
