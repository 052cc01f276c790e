import { describe, expect, it } from 'vitest';
import { type Column, filtered, type Order, sorted, turned } from './table.ts';

interface Row {
  symbol: string;
  net: string | null;
}

const ROWS: Row[] = [
  { symbol: 'BTCUSDT', net: '9.5' },
  { symbol: 'ETHUSDT', net: null },
  { symbol: 'SOLUSDT', net: '-120.25' },
  { symbol: 'BNBUSDT', net: '100' },
];
const SYMBOL: Column<Row> = { id: 'symbol', title: 'Symbol', cell: (row) => row.symbol, value: (row) => row.symbol };
const NET: Column<Row> = { id: 'net', title: 'Net', isNumeric: true, cell: (row) => row.net, value: (row) => row.net };
const COLUMNS = [SYMBOL, NET];

const names = (rows: readonly Row[]) => rows.map((row) => row.symbol.slice(0, 3));

describe('a table', () => {
  it('sorts decimal text as numbers, with the unknown last in both directions', () => {
    expect(names(sorted(ROWS, COLUMNS, { column: 'net', isDescending: true }))).toEqual(['BNB', 'BTC', 'SOL', 'ETH']);
    expect(names(sorted(ROWS, COLUMNS, { column: 'net', isDescending: false }))).toEqual(['SOL', 'BTC', 'BNB', 'ETH']);
  });

  it('leaves rows as they came without an order, and never changes what it was given', () => {
    expect(sorted(ROWS, COLUMNS, null)).toBe(ROWS);
    sorted(ROWS, COLUMNS, { column: 'symbol', isDescending: false });
    expect(names(ROWS)).toEqual(['BTC', 'ETH', 'SOL', 'BNB']);
  });

  it('finds rows by all words, wherever they stand', () => {
    expect(names(filtered(ROWS, COLUMNS, 'usdt 120'))).toEqual(['SOL']);
    expect(filtered(ROWS, COLUMNS, '  ')).toBe(ROWS);
    expect(filtered(ROWS, COLUMNS, 'null')).toEqual([]);
  });

  it('turns an order three ways', () => {
    let order: Order | null = turned(null, NET);
    expect(order).toEqual({ column: 'net', isDescending: true });
    order = turned(order, NET);
    expect(order).toEqual({ column: 'net', isDescending: false });
    expect(turned(order, NET)).toBeNull();
    expect(turned(order, SYMBOL)).toEqual({ column: 'symbol', isDescending: false });
  });
});
