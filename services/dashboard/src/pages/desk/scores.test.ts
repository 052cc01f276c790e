import { expect, test } from 'vitest';
import type { Indicators } from '@/stream/protocol.ts';
import { cvdOf, heat, leastCoverage, loudest, type Score, scoreRows, strategiesOf } from './scores.ts';

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
    windows: [
      { window: '5m', coverage: 1, cvd: '2.5' },
      { window: '4h', coverage: 0.82, cvd: '-9' },
    ],
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

test('coverage is that of the worst window, and CVD that of the one asked for', () => {
  const known = features('BTCUSDT', []);
  expect(leastCoverage(known)).toBe(0.82);
  expect(cvdOf(known, '4h')).toBe('-9');
  expect(cvdOf(known, '30m')).toBe(null);
  expect(leastCoverage({ windows: [] })).toBe(null);
});
