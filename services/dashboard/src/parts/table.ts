/** What a table does with its rows, as functions: sorting that keeps the unknown last, and a filter over what one reads. */
import type { ReactNode } from 'react';

export type Sortable = string | number | null | undefined;

export interface Column<Row> {
  id: string;
  title: string;
  /** Stands in the header, and so in no cell. */
  unit?: ReactNode;
  isNumeric?: boolean;
  /** May break into lines, for sentences. */
  isWide?: boolean;
  /** Left out where the screen is narrow. */
  isForWideScreens?: boolean;
  cell: (row: Row) => ReactNode;
  /** By what it is sorted and filtered; without one, neither. Decimal text counts as a number in numeric columns. */
  value?: (row: Row) => Sortable;
}

export interface Order {
  column: string;
  isDescending: boolean;
}

function comparable<Row>(column: Column<Row>, row: Row): string | number | null {
  const value = column.value?.(row);
  if (value === null || value === undefined || value === '') return null;
  if (!column.isNumeric) return typeof value === 'number' ? value : value.toLowerCase();
  const number = Number(value);
  return Number.isFinite(number) ? number : null;
}

/** The rows in that order; equal ones stay as they came, and what is not known stands last either way. */
export function sorted<Row>(
  rows: readonly Row[],
  columns: readonly Column<Row>[],
  order: Order | null,
): readonly Row[] {
  const column = columns.find((each) => each.id === order?.column);
  if (order === null || column?.value === undefined) return rows;
  const sign = order.isDescending ? -1 : 1;
  return [...rows].sort((one, other) => {
    const left = comparable(column, one);
    const right = comparable(column, other);
    if (left === null || right === null) return left === right ? 0 : left === null ? 1 : -1;
    return left < right ? -sign : left > right ? sign : 0;
  });
}

/** The rows in which every word of the text stands somewhere. */
export function filtered<Row>(rows: readonly Row[], columns: readonly Column<Row>[], text: string): readonly Row[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return rows;
  return rows.filter((row) => {
    const read = columns.map((column) => String(column.value?.(row) ?? '').toLowerCase()).join(' ');
    return words.every((word) => read.includes(word));
  });
}

/** What a click on a header makes of the order: down, up, as it came. Text begins upwards. */
export function turned<Row>(order: Order | null, column: Column<Row>): Order | null {
  const first = column.isNumeric === true;
  if (order?.column !== column.id) return { column: column.id, isDescending: first };
  return order.isDescending === first ? { column: column.id, isDescending: !first } : null;
}
