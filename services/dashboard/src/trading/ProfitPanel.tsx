/** What closed trades made, by day, week, month, strategy, symbol or exit reason, and all of it. */
import { Select } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { fixed, percent } from '@/format/numbers.ts';
import { type Column, DataTable } from '@/parts/DataTable.tsx';
import { Change } from '@/parts/Figures.tsx';
import { Mark } from '@/parts/Mark.tsx';
import { Panel } from '@/parts/Panel.tsx';
import { Empty } from '@/parts/States.tsx';
import { change } from '@/trading/columns.tsx';
import { spoken } from './names.ts';
import { askProfit, type Books, type By, type ProfitRow, SIDES, winRate } from './profit.ts';

const QUOTE = 'USDT';

function columnsOf(by: By): readonly Column<ProfitRow>[] {
  return [
    {
      id: 'name',
      title: by === 'reason' ? 'Exit' : spoken(by),
      cell: (row) => spoken(row.name),
      value: (row) => row.name,
    },
    {
      id: 'net',
      title: 'Net',
      unit: QUOTE,
      isNumeric: true,
      cell: (row) => (
        <>
          {row.fees_unvalued > 0 && (
            <Mark tone="degraded" title="Fees in another asset are not in it yet">
              part
            </Mark>
          )}{' '}
          <Change value={row.net} decimals={2} />
        </>
      ),
      value: (row) => row.net,
    },
    change('r', 'Net', 'R', (row) => row.net_r),
    { id: 'trades', title: 'Trades', isNumeric: true, cell: (row) => row.trades, value: (row) => row.trades },
    {
      id: 'won',
      title: 'Won',
      isNumeric: true,
      cell: (row) => percent(winRate(row), 0),
      value: (row) => winRate(row),
    },
    { ...change('gross', 'Gross', QUOTE, (row) => row.gross), isForWideScreens: true },
    {
      id: 'fees',
      title: 'Fees',
      unit: QUOTE,
      isNumeric: true,
      isForWideScreens: true,
      cell: (row) => fixed(row.fees, 2),
      value: (row) => row.fees,
    },
    {
      id: 'funding',
      title: 'Funding',
      unit: QUOTE,
      isNumeric: true,
      isForWideScreens: true,
      cell: (row) => fixed(row.funding, 2),
      value: (row) => row.funding,
    },
  ];
}

interface ProfitPanelProps {
  books: Books;
  strategy?: string | null;
  from?: number | null;
  className?: string | undefined;
}

export function ProfitPanel({ books, strategy = null, from = null, className }: ProfitPanelProps) {
  const [by, setBy] = useState<By>('day');
  const asked = useQuery(askProfit({ by, books, strategy, from }));
  const rows = asked.data?.rows ?? [];
  const total = asked.data?.total;
  const choice = (
    <Select
      size="xs"
      w={110}
      aria-label="Profit by"
      data={SIDES.map((value) => ({ value, label: value === 'reason' ? 'by exit' : `by ${value}` }))}
      value={by}
      allowDeselect={false}
      onChange={(value) => setBy((value as By | null) ?? 'day')}
    />
  );
  return (
    <Panel
      title="Profit"
      note="closed trades, days in UTC"
      asked={asked}
      actions={choice}
      lines={4}
      className={className}
    >
      <DataTable
        label="Profit"
        columns={columnsOf(by)}
        rows={total === undefined || rows.length === 0 ? rows : [...rows, { ...total, name: 'all' }]}
        keyOf={(row) => row.name}
        maxHeight={320}
        empty={<Empty title="No trade has closed yet">Each closed trade counts here, by its exit.</Empty>}
      />
    </Panel>
  );
}
