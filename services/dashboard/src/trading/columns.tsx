/** Columns that many tables have: what was made, and a price of the row's symbol. Both are sorted by what they show. */
import type { Quantity } from '@/format/numbers.ts';
import { Change } from '@/parts/Figures.tsx';
import type { Column } from '@/parts/table.ts';
import { Price } from './Price.tsx';

/** Signed and coloured, with two decimals, in USDT or R. */
export function change<Row>(id: string, title: string, unit: string, of: (row: Row) => Quantity): Column<Row> {
  return { id, title, unit, isNumeric: true, cell: (row) => <Change value={of(row)} decimals={2} />, value: of };
}

/** With the decimals of the symbol's tick. */
export function price<Row extends { symbol: string }>(
  id: string,
  title: string,
  of: (row: Row) => Quantity,
): Column<Row> {
  return { id, title, isNumeric: true, cell: (row) => <Price symbol={row.symbol} value={of(row)} />, value: of };
}
