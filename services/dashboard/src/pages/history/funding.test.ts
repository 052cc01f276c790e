import { describe, expect, it } from 'vitest';
import { beginningOf, type Choice, intervalHours, linesOf, type Settlement } from './funding.ts';

const HOUR = 3_600_000;
const ROWS: Settlement[] = [
  { symbol: 'BTCUSDT', time_ms: 0, rate: '0.0001' },
  { symbol: 'ETHUSDT', time_ms: 0, rate: '-0.0002' },
  { symbol: 'BTCUSDT', time_ms: 8 * HOUR, rate: '0.0003' },
];

const choice = (changes: Partial<Choice> = {}): Choice => ({
  hidden: new Set(),
  drawn: 'rates',
  untilMs: 0,
  ...changes,
});

describe('funding', () => {
  it('is a line a symbol: each rate, or their sum', () => {
    const lines = linesOf(ROWS, ['BTCUSDT', 'ETHUSDT'], choice());
    expect(lines.map((line) => line.points.map((point) => point.value))).toEqual([[0.0001, 0.0003], [-0.0002]]);
    const [sum] = linesOf(ROWS, ['BTCUSDT'], choice({ drawn: 'sum' }));
    expect(sum?.points[1]?.value).toBeCloseTo(0.0004, 10);
  });

  it('keeps a symbol’s colour when another one is hidden', () => {
    const all = linesOf(ROWS, ['BTCUSDT', 'ETHUSDT'], choice());
    const [left] = linesOf(ROWS, ['BTCUSDT', 'ETHUSDT'], choice({ hidden: new Set(['BTCUSDT']) }));
    expect(left?.colour).toBe(all[1]?.colour);
  });

  it('stands until the next settlement: the newest rate is drawn up to now', () => {
    const [line] = linesOf(ROWS, ['BTCUSDT'], choice({ untilMs: 9 * HOUR }));
    expect(line?.points.at(-1)).toEqual({ time_ms: 9 * HOUR, value: 0.0003 });
  });

  it('knows the interval only of a symbol that was settled twice', () => {
    expect(intervalHours(ROWS, 'BTCUSDT')).toBe(8);
    expect(intervalHours(ROWS, 'ETHUSDT')).toBeNull();
  });

  it('begins at a full hour', () => {
    expect(beginningOf('7d', 7 * 86_400_000 + 5 * HOUR + 17)).toBe(5 * HOUR);
  });
});
