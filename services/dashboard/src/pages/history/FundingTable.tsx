/** Each symbol's funding in figures: the running estimate, the last settlement, seven days and the year. */
import { Checkbox } from '@mantine/core';
import { useNow } from '@/format/now.ts';
import { percent } from '@/format/numbers.ts';
import { duration } from '@/format/time.ts';
import { type Column, DataTable } from '@/parts/DataTable.tsx';
import { Change } from '@/parts/Figures.tsx';
import { Empty } from '@/parts/States.tsx';
import { decimal, type FundingRow } from './rows.ts';

/** A rate with its sign; who pays is in the header. */
function Rate({ value, decimals = 4 }: { value: string | number | null; decimals?: number }) {
  return <Change value={value === null ? null : Number(value) * 100} decimals={decimals} />;
}

function rate(id: keyof FundingRow, title: string, more: Partial<Column<FundingRow>> = {}): Column<FundingRow> {
  return {
    id,
    title,
    unit: '%',
    isNumeric: true,
    cell: (row) => <Rate value={decimal(row[id])} />,
    value: (row) => decimal(row[id]),
    ...more,
  };
}

function Countdown({ to }: { to: number | null }) {
  const now = useNow();
  return <span>{to === null ? '–' : duration(Math.max(0, to - now))}</span>;
}

function columnsOf(hidden: ReadonlySet<string>, turn: (symbol: string) => void): Column<FundingRow>[] {
  return [
    {
      id: 'drawn',
      title: 'Drawn',
      cell: ({ symbol }) => (
        <Checkbox size="xs" aria-label={`Draw ${symbol}`} checked={!hidden.has(symbol)} onChange={() => turn(symbol)} />
      ),
    },
    { id: 'symbol', title: 'Symbol', cell: ({ symbol }) => symbol, value: ({ symbol }) => symbol },
    rate('estimate', 'Running'),
    {
      id: 'next',
      title: 'Settles in',
      isNumeric: true,
      cell: ({ nextMs }) => <Countdown to={nextMs} />,
      value: ({ nextMs }) => nextMs,
    },
    {
      id: 'interval',
      title: 'Every',
      unit: 'h',
      isNumeric: true,
      isForWideScreens: true,
      cell: ({ intervalHours }) => intervalHours ?? '–',
      value: ({ intervalHours }) => intervalHours,
    },
    rate('latest', 'Last settled'),
    rate('mean', 'Mean, 7 d'),
    rate('total', 'Sum, 7 d'),
    {
      id: 'range',
      title: 'Range, 7 d',
      unit: '%',
      isNumeric: true,
      isForWideScreens: true,
      cell: ({ lowest, highest }) => (
        <>
          <Rate value={lowest} /> … <Rate value={highest} />
        </>
      ),
    },
    {
      id: 'positive',
      title: 'Longs paid, 7 d',
      isNumeric: true,
      isForWideScreens: true,
      cell: ({ positive }) => percent(positive, 0),
      value: ({ positive }) => positive,
    },
    rate('annualWeek', 'Annualised, 7 d', {
      cell: ({ annualWeek }) => <Rate value={annualWeek} decimals={2} />,
    }),
    rate('annualYear', 'Annualised, this year', {
      cell: ({ annualYear }) => <Rate value={annualYear} decimals={2} />,
    }),
  ];
}

interface FundingTableProps {
  rows: readonly FundingRow[];
  hidden: ReadonlySet<string>;
  onTurn: (symbol: string) => void;
}

export function FundingTable({ rows, hidden, onTurn }: FundingTableProps) {
  return (
    <DataTable
      label="Funding by symbol"
      columns={columnsOf(hidden, onTurn)}
      rows={rows}
      keyOf={({ symbol }) => symbol}
      isFilterable={rows.length > 8}
      maxHeight={420}
      empty={<Empty title="No symbol is followed">PERPSTREAM_SYMBOLS says which are.</Empty>}
    />
  );
}
