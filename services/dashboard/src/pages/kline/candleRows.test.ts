import { describe, expect, it } from 'vitest';
import { changeOf, csvOf } from './candleRows.ts';

describe('a candle as a row', () => {
  const candle = { open_time_ms: 0, open: '100', high: '104', low: '99', close: '98', volume: '1' };

  it('says its change, and none of nothing', () => {
    expect(changeOf(candle)).toBeCloseTo(-0.02, 10);
    expect(changeOf({ ...candle, open: '0' })).toBeNull();
  });

  it('is had as CSV of the same source', () => {
    expect(csvOf('BTCUSDT', '5m', 'rates')).toBe(
      '/api/kline?symbol=BTCUSDT&interval=5m&source=rates&limit=1500&format=csv',
    );
  });
});
