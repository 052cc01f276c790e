import { describe, expect, it } from 'vitest';
import { forcedOrders } from './forced.ts';

describe('forced orders', () => {
  it('come newest first, each once, of the symbol alone', () => {
    const live = (event_id: string, symbol: string, time: number) => ({
      event_id,
      symbol,
      trade_time_ms: time,
      side: 'SELL' as const,
      quantity: '2',
      average_price: '10.50',
      order_price: '10',
      liquidated: 'long' as const,
      notional: '21',
      status: 'FILLED',
    });
    const asked = [
      {
        event_id: 'a',
        symbol: 'BTCUSDT',
        trade_time_ms: 5,
        liquidated: 'short' as const,
        notional: '7',
        average_price: '9.5',
        order_price: '9',
        quantity: '1',
        side: 'BUY' as const,
        status: 'FILLED',
      },
    ];
    const rows = forcedOrders(
      asked,
      [live('a', 'BTCUSDT', 5), live('b', 'BTCUSDT', 9), live('c', 'ETHUSDT', 9)],
      'BTCUSDT',
    );
    expect(rows.map((row) => [row.event_id, row.liquidated, row.notional, row.decimals])).toEqual([
      ['b', 'long', 21, 2],
      ['a', 'short', 7, 1],
    ]);
  });
});
