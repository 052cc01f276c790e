import { describe, expect, it } from 'vitest';
import { LIQUIDATED } from './forced.ts';
import {
  beginningOf,
  decimalsOfRows,
  type Gap,
  holesOf,
  isHole,
  type SummaryRow,
  seriesOf,
  totalsOf,
  windowOf,
} from './tape.ts';

function row(minute: number, buy: string, sell: string): SummaryRow {
  const volume = String(Number(buy) + Number(sell));
  return {
    open_time_ms: minute * 60_000,
    open: '10.50',
    high: '10.50',
    low: '10.50',
    close: '10.50',
    volume,
    quote_volume: String(Number(volume) * 10),
    buy_volume: buy,
    sell_volume: sell,
    trades: 3,
    agg_trades: 2,
    vwap: '10',
  };
}

function gap(outcome: string, from: number, to: number, unfilled = 0): Gap {
  return {
    symbol: 'BTCUSDT',
    cause: 'reconnect',
    closed_ms: null,
    first_missing_id: 1,
    last_missing_id: 2,
    found_ms: null,
    from_ms: from,
    to_ms: to,
    hole: false,
    outcome,
    unfilled,
  };
}

describe('the tape', () => {
  const rows = [row(1, '3', '1'), row(2, '1', '2'), row(4, '5', '1')];

  it('sums what takers bought and sold, and leaves a hole where nothing was traded', () => {
    const series = seriesOf(rows, [], 60_000);
    const of = (id: string) => series.find((each) => each.id === id)?.points.map((point) => point.value);
    expect(of('bought')).toEqual([3, 1, null, 5]);
    expect(of('sold')).toEqual([-1, -2, null, -1]);
    expect(of('cvd')).toEqual([2, 1, null, 5]);
    expect(totalsOf(rows)).toEqual({ volume: 13, quote: 130, delta: 5, trades: 9, vwap: 10 });
    expect(totalsOf([]).vwap).toBeNull();
  });

  it('hatches what is missing, not what was filled or never existed', () => {
    expect(isHole(gap('filled', 0, 1))).toBe(false);
    expect(isHole(gap('never_existed', 0, 1))).toBe(false);
    expect(isHole(gap('filled', 0, 1, 2))).toBe(true);
    const holes = holesOf([gap('lost', 0, 90_000), gap('open', 0, 30_000), gap('filled', 60_000, 90_000)], rows);
    expect(holes).toEqual([{ from_ms: 60_000, to_ms: 90_000 }]);
  });

  it('asks for the window of liquidations that fits the interval', () => {
    expect([windowOf('1s'), windowOf('3m'), windowOf('5m'), windowOf('1h'), windowOf('1d')]).toEqual([
      '1m',
      '1m',
      '5m',
      '1h',
      '1h',
    ]);
  });

  it('asks for what stands beside the rows from a place that stays while one goes a little to the left', () => {
    const step = 360 * 60_000;
    const at = (minute: number) => beginningOf([{ time: minute * 60_000 }], 60_000);
    expect([at(360), at(700), at(720)]).toEqual([step, step, 2 * step]);
    expect(beginningOf([], 60_000)).toBeNull();
  });

  it('paints a liquidation the same way wherever it stands: a long is sold, and that is down', () => {
    const colours = new Map(seriesOf(rows, [], 60_000).map(({ id, colour }) => [id, colour]));
    expect([colours.get('longs'), colours.get('shorts')]).toEqual([LIQUIDATED.long.colour, LIQUIDATED.short.colour]);
    expect(LIQUIDATED.long).toMatchObject({ colour: '--down', arrow: '▼' });
  });

  it('writes prices with their own decimals', () => {
    expect(decimalsOfRows(rows)).toBe(2);
    expect(decimalsOfRows([])).toBe(0);
  });
});
