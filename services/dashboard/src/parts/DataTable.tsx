/** The one table: sorting, a filter, a header that stays, its rows as CSV, and words for when there are none. */
import { Anchor, TextInput } from '@mantine/core';
import { type KeyboardEvent, type ReactNode, useMemo, useState } from 'react';
import classes from './DataTable.module.css';
import { Empty } from './States.tsx';
import { type Column, filtered, type Order, sorted, turned } from './table.ts';

export type { Column } from './table.ts';

interface DataTableProps<Row> {
  /** For those who hear it. */
  label: string;
  columns: readonly Column<Row>[];
  rows: readonly Row[];
  keyOf: (row: Row) => string;
  /** What stands there without rows: why, and what would fill it. */
  empty: ReactNode;
  order?: Order;
  onOpen?: (row: Row) => void;
  chosen?: string | null;
  isFilterable?: boolean;
  /** The same rows from the API, whole: a path with `format=csv`. */
  csv?: string;
  /** Height at which it scrolls; without one, its panel's. */
  maxHeight?: number | string;
  tools?: ReactNode;
}

function classOf<Row>(column: Column<Row>): string {
  const parts = [
    column.isNumeric ? classes.numeric : '',
    column.isWide ? classes.wide : '',
    column.isForWideScreens ? classes.wideScreen : '',
  ];
  return parts.filter(Boolean).join(' ');
}

interface HeadProps<Row> {
  columns: readonly Column<Row>[];
  order: Order | null;
  onTurn: (column: Column<Row>) => void;
}

function Head<Row>({ columns, order, onTurn }: HeadProps<Row>) {
  const sortOf = (column: Column<Row>) =>
    order?.column === column.id ? (order.isDescending ? 'descending' : 'ascending') : undefined;
  return (
    <thead>
      <tr>
        {columns.map((column) => {
          const sort = sortOf(column);
          const words = (
            <>
              {column.title}
              {column.unit !== undefined && <span className={classes.unit}>{column.unit}</span>}
            </>
          );
          return (
            <th key={column.id} scope="col" className={classOf(column)} aria-sort={sort}>
              {column.value === undefined ? (
                <span className={classes.plain}>{words}</span>
              ) : (
                <button type="button" className={classes.sort} onClick={() => onTurn(column)}>
                  {words}
                  <span aria-hidden="true">{sort === 'descending' ? '↓' : sort === 'ascending' ? '↑' : ''}</span>
                </button>
              )}
            </th>
          );
        })}
      </tr>
    </thead>
  );
}

interface LineProps<Row> {
  row: Row;
  columns: readonly Column<Row>[];
  isChosen: boolean;
  onOpen: ((row: Row) => void) | undefined;
}

function Line<Row>({ row, columns, isChosen, onOpen }: LineProps<Row>) {
  const opening = onOpen && {
    tabIndex: 0,
    onClick: () => onOpen(row),
    onKeyDown: (event: KeyboardEvent) => event.key === 'Enter' && onOpen(row),
  };
  const look = `${onOpen ? classes.open : ''} ${isChosen ? classes.chosen : ''}`;
  return (
    <tr className={look} {...opening}>
      {columns.map((column) => (
        <td key={column.id} className={classOf(column)}>
          {column.cell(row)}
        </td>
      ))}
    </tr>
  );
}

interface ToolsProps {
  text: string;
  onText: ((text: string) => void) | null;
  shown: number;
  all: number;
  csv: string | undefined;
  children: ReactNode;
}

function Tools({ text, onText, shown, all, csv, children }: ToolsProps) {
  return (
    <div className={classes.tools}>
      {onText !== null && (
        <TextInput
          size="xs"
          aria-label="Filter rows"
          placeholder="Filter"
          value={text}
          data-filter=""
          onChange={(event) => onText(event.currentTarget.value)}
        />
      )}
      {children}
      <span className={`${classes.count} ${classes.right}`}>
        {shown === all ? `${all}` : `${shown} of ${all}`} rows
      </span>
      {csv !== undefined && (
        <Anchor size="xs" href={csv} download>
          CSV
        </Anchor>
      )}
    </div>
  );
}

export function DataTable<Row>(props: DataTableProps<Row>) {
  const { columns, rows, keyOf, isFilterable = false, csv, tools, maxHeight } = props;
  const [order, setOrder] = useState<Order | null>(props.order ?? null);
  const [text, setText] = useState('');
  const shown = useMemo(() => sorted(filtered(rows, columns, text), columns, order), [rows, columns, text, order]);
  const hasTools = isFilterable || csv !== undefined || tools !== undefined;
  return (
    <div className={classes.frame}>
      {hasTools && (
        <Tools text={text} onText={isFilterable ? setText : null} shown={shown.length} all={rows.length} csv={csv}>
          {tools}
        </Tools>
      )}
      {/* biome-ignore lint/a11y/useSemanticElements: a group of rows, and no landmark beside its panel's */}
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable with the keyboard */}
      <div className={classes.scroll} style={{ maxHeight }} role="group" aria-label={props.label} tabIndex={0}>
        <table className={classes.table}>
          <Head columns={columns} order={order} onTurn={(column) => setOrder(turned(order, column))} />
          <tbody>
            {shown.map((row) => (
              <Line
                key={keyOf(row)}
                row={row}
                columns={columns}
                isChosen={props.chosen === keyOf(row)}
                onOpen={props.onOpen}
              />
            ))}
          </tbody>
        </table>
        {rows.length === 0 && props.empty}
        {rows.length > 0 && shown.length === 0 && <Empty title="No row fits the filter" />}
      </div>
    </div>
  );
}
