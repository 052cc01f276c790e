import { describe, expect, it } from 'vitest';
import { beginningOf, type Choice, intervalsOf, LOOKS, linesOf, type Settlement } from './funding.ts';

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

  it('draws all symbols, as many as there are, with a look of its own for each of the first ones', () => {
    const symbols = Array.from({ length: 40 }, (_, index) => `S${index}`);
    const rows = symbols.map((symbol) => ({ symbol, time_ms: 0, rate: '0.0001' }));
    const lines = linesOf(rows, symbols, choice());
    expect(lines).toHaveLength(40);
    const looks = lines.map(({ colour, isDashed, isThin }) => `${colour} ${isDashed} ${isThin}`);
    expect(new Set(looks.slice(0, LOOKS)).size).toBe(LOOKS);
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
    expect([...intervalsOf(ROWS)]).toEqual([['BTCUSDT', 8]]);
  });

  it('begins at a full hour', () => {
    expect(beginningOf('7d', 7 * 86_400_000 + 5 * HOUR + 17)).toBe(5 * HOUR);
  });
});
