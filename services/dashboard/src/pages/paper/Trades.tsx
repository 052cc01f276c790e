/** Every signal that was traded on paper, or not, and why. */
import { Select } from '@mantine/core';
import { useInfiniteQuery } from '@tanstack/react-query';
import { useNavigate } from 'react-router';
import { fixed } from '@/format/numbers.ts';
import { duration } from '@/format/time.ts';
import { Ago } from '@/parts/Ago.tsx';
import { type Column, DataTable } from '@/parts/DataTable.tsx';
import { Side } from '@/parts/Figures.tsx';
import { Mark } from '@/parts/Mark.tsx';
import { Panel } from '@/parts/Panel.tsx';
import { Empty } from '@/parts/States.tsx';
import { change, price } from '@/trading/columns.tsx';
import { useFilter } from '@/trading/filters.ts';
import { spoken } from '@/trading/names.ts';
import { Older } from '@/trading/Older.tsx';
import { askPaperTrades, type Narrowed, PAPER_STATES, type PaperState, type PaperTrade } from './asking.ts';

function held(trade: PaperTrade): number | null {
  const { entry_time_ms, exit_time_ms } = trade;
  return entry_time_ms === null || exit_time_ms === null ? null : exit_time_ms - entry_time_ms;
}

const COLUMNS: readonly Column<PaperTrade>[] = [
  {
    id: 'time',
    title: 'Signal',
    cell: (row) => <Ago ms={row.signal_time_ms ?? row.order_time_ms} />,
    value: (row) => row.signal_time_ms,
  },
  { id: 'symbol', title: 'Symbol', cell: (row) => row.symbol, value: (row) => row.symbol },
  { id: 'side', title: 'Side', cell: (row) => <Side side={row.direction} />, value: (row) => row.direction },
  {
    id: 'state',
    title: 'State',
    cell: (row) => <Mark tone={row.state === 'open' ? 'accent' : 'neutral'}>{spoken(row.state)}</Mark>,
    value: (row) => row.state,
  },
  { id: 'reason', title: 'Exit', cell: (row) => spoken(row.reason), value: (row) => spoken(row.reason) },
  change('r', 'Net', 'R', (row) => row.net_r),
  change('net', 'Net', 'USDT', (row) => row.net),
  price('entry', 'Entry', (row) => row.entry_price),
  price('exit', 'Exit', (row) => row.exit_price),
  {
    id: 'held',
    title: 'Held',
    isNumeric: true,
    isForWideScreens: true,
    cell: (row) => duration(held(row)),
    value: held,
  },
  {
    id: 'score',
    title: 'Score',
    isNumeric: true,
    isForWideScreens: true,
    cell: (row) => fixed(row.score, 1),
    value: (row) => row.score,
  },
  { id: 'strategy', title: 'Strategy', cell: (row) => row.strategy, value: (row) => row.strategy },
];

function csvOf({ strategy, from }: Narrowed, state: PaperState | null): string {
  const words = { format: 'csv', strategy, state, from: from === null ? null : `${from}` };
  const set = Object.entries(words).filter((pair): pair is [string, string] => pair[1] !== null);
  return `/api/paper/trades?${new URLSearchParams(set)}`;
}

export function PaperTrades({ narrowed, className }: { narrowed: Narrowed; className?: string | undefined }) {
  const [picked, setState] = useFilter('state', PAPER_STATES);
  const state = picked as PaperState | null;
  const asked = useInfiniteQuery(askPaperTrades(narrowed, state));
  const navigate = useNavigate();
  const tools = (
    <>
      <Select
        size="xs"
        w={130}
        aria-label="State"
        placeholder="All states"
        clearable
        data={PAPER_STATES.map((value) => ({ value, label: spoken(value) }))}
        value={state}
        onChange={setState}
      />
      <Older asked={asked} />
    </>
  );
  return (
    <Panel title="Trades on paper" asked={asked} lines={8} className={className}>
      <DataTable
        label="Trades on paper"
        columns={COLUMNS}
        rows={asked.data?.pages.flatMap((page) => page.rows) ?? []}
        keyOf={(row) => row.trade_id}
        onOpen={(row) => void navigate(`/signals/${row.signal_id}`)}
        isFilterable
        csv={csvOf(narrowed, state)}
        tools={tools}
        maxHeight={520}
        empty={
          <Empty title="No trade fits">Every signal that was emitted ends here: traded, or not taken and why.</Empty>
        }
      />
    </Panel>
  );
}
