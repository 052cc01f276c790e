/** What became of every signal and every entry by hand on the account. */
import { Select } from '@mantine/core';
import { useInfiniteQuery } from '@tanstack/react-query';
import { useNavigate } from 'react-router';
import { fixed } from '@/format/numbers.ts';
import { Ago } from '@/parts/Ago.tsx';
import { type Column, DataTable } from '@/parts/DataTable.tsx';
import { Side } from '@/parts/Figures.tsx';
import { Mark, type Tone } from '@/parts/Mark.tsx';
import { Panel } from '@/parts/Panel.tsx';
import { Empty } from '@/parts/States.tsx';
import { change, price } from '@/trading/columns.tsx';
import { useFilter } from '@/trading/filters.ts';
import { spoken } from '@/trading/names.ts';
import { Older } from '@/trading/Older.tsx';
import { askTrades, LIVE_STATES, type LiveState, type LiveTradeRow } from './asking.ts';

const TONES: Partial<Record<LiveState, Tone>> = { open: 'accent', entering: 'accent', closing: 'accent' };

const COLUMNS: readonly Column<LiveTradeRow>[] = [
  { id: 'time', title: 'Begun', cell: (row) => <Ago ms={row.recorded_at_ms} />, value: (row) => row.recorded_at_ms },
  { id: 'symbol', title: 'Symbol', cell: (row) => row.symbol, value: (row) => row.symbol },
  { id: 'side', title: 'Side', cell: (row) => <Side side={row.direction} />, value: (row) => row.direction },
  {
    id: 'state',
    title: 'State',
    cell: (row) => <Mark tone={TONES[row.state] ?? 'neutral'}>{spoken(row.state)}</Mark>,
    value: (row) => spoken(row.state),
  },
  {
    id: 'reason',
    title: 'Why',
    cell: (row) => spoken(row.exit_reason ?? row.reason),
    value: (row) => spoken(row.exit_reason ?? row.reason),
  },
  change('r', 'Net', 'R', (row) => row.pnl_r),
  change('net', 'Net', 'USDT', (row) => (row.entry_price === null ? null : row.pnl_quote)),
  price('entry', 'Entry', (row) => row.entry_price),
  price('exit', 'Exit', (row) => row.exit_price),
  {
    id: 'slippage',
    title: 'Slippage',
    unit: 'bps',
    isNumeric: true,
    isForWideScreens: true,
    cell: (row) => fixed(row.slippage_bps, 2),
    value: (row) => row.slippage_bps,
  },
  { id: 'origin', title: 'Origin', isForWideScreens: true, cell: (row) => row.origin, value: (row) => row.origin },
  { id: 'strategy', title: 'Strategy', cell: (row) => row.strategy, value: (row) => row.strategy },
];

export function Trades() {
  const [picked, setState] = useFilter('state', LIVE_STATES);
  const state = picked as LiveState | null;
  const asked = useInfiniteQuery(askTrades(state));
  const navigate = useNavigate();
  const csv = `/api/live/trades?format=csv${state === null ? '' : `&state=${state}`}`;
  return (
    <Panel title="Trades" asked={asked} lines={8}>
      <DataTable
        label="Trades"
        columns={COLUMNS}
        rows={asked.data?.pages.flatMap((page) => page.rows) ?? []}
        keyOf={(row) => row.trade_id}
        onOpen={(row) => void navigate(`/live/trades/${row.trade_id}`)}
        isFilterable
        csv={csv}
        tools={
          <>
            <Select
              size="xs"
              w={130}
              aria-label="State"
              placeholder="All states"
              clearable
              data={LIVE_STATES.map((value) => ({ value, label: spoken(value) }))}
              value={state}
              onChange={setState}
            />
            <Older asked={asked} />
          </>
        }
        maxHeight={520}
        empty={
          <Empty title="No trade fits">
            Every signal of a strategy that may trade ends here: entered, or refused and why. As shipped none may.
          </Empty>
        }
      />
    </Panel>
  );
}
