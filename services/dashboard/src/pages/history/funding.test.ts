import { describe, expect, it } from 'vitest';
import { beginningOf, intervalHours, linesOf, type Settlement } from './funding.ts';

const HOUR = 3_600_000;
const ROWS: Settlement[] = [
  { symbol: 'BTCUSDT', time_ms: 0, rate: '0.0001' },
  { symbol: 'ETHUSDT', time_ms: 0, rate: '-0.0002' },
  { symbol: 'BTCUSDT', time_ms: 8 * HOUR, rate: '0.0003' },
];

describe('funding', () => {
  it('is a line a symbol: each rate, or their sum', () => {
    const lines = linesOf(ROWS, ['BTCUSDT', 'ETHUSDT'], new Set(), 'rates');
    expect(lines.map((line) => line.points.map((point) => point.value))).toEqual([[0.0001, 0.0003], [-0.0002]]);
    const [sum] = linesOf(ROWS, ['BTCUSDT'], new Set(), 'sum');
    expect(sum?.points[1]?.value).toBeCloseTo(0.0004, 10);
  });

  it('keeps a symbol’s colour when another one is hidden', () => {
    const all = linesOf(ROWS, ['BTCUSDT', 'ETHUSDT'], new Set(), 'rates');
    const [left] = linesOf(ROWS, ['BTCUSDT', 'ETHUSDT'], new Set(['BTCUSDT']), 'rates');
    expect(left?.colour).toBe(all[1]?.colour);
  });

  it('knows the interval only of a symbol that was settled twice', () => {
    expect(intervalHours(ROWS, 'BTCUSDT')).toBe(8);
    expect(intervalHours(ROWS, 'ETHUSDT')).toBeNull();
  });

  it('begins at a full hour', () => {
    expect(beginningOf('7d', 7 * 86_400_000 + 5 * HOUR + 17)).toBe(5 * HOUR);
  });
});
