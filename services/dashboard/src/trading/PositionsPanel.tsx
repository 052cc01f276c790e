/** What the account holds, at the newest mark price, and what can be done about it. */
import { ActionIcon, Menu } from '@mantine/core';
import { EllipsisVertical } from 'lucide-react';
import type { ReactNode } from 'react';
import { Link } from 'react-router';
import { useNow } from '@/format/now.ts';
import { plain, toNumber } from '@/format/numbers.ts';
import { duration } from '@/format/time.ts';
import { type Column, DataTable } from '@/parts/DataTable.tsx';
import { Change, Side } from '@/parts/Figures.tsx';
import { Mark } from '@/parts/Mark.tsx';
import { Panel } from '@/parts/Panel.tsx';
import { Empty } from '@/parts/States.tsx';
import { price } from '@/trading/columns.tsx';
import { Levels } from './Levels.tsx';
import { useLivePositions } from './livePositions.ts';
import { spoken } from './names.ts';
import { Price } from './Price.tsx';
import { type LivePosition, sideOf, type Worth, worthAt } from './positions.ts';
import { useMark } from './prices.ts';

/** What may be done to a position. */
export type Deed = 'close' | 'move' | 'flatten' | 'cancel';

function At({ row, show }: { row: LivePosition; show: (worth: Worth) => ReactNode }) {
  return show(worthAt(row, useMark(row.symbol)));
}

function Left({ untilMs }: { untilMs: number | null }) {
  const now = useNow();
  return <span>{untilMs === null ? '–' : duration(untilMs - now)}</span>;
}

function Guarded({ row }: { row: LivePosition }) {
  return row.protected ? (
    <span title="Its stop stands at the venue">
      <Price symbol={row.symbol} value={row.stop} />
    </span>
  ) : (
    <Mark tone="danger" title="No stop stands at the venue: the guard places one or closes it within five seconds">
      no stop
    </Mark>
  );
}

const COLUMNS: readonly Column<LivePosition>[] = [
  {
    id: 'symbol',
    title: 'Symbol',
    cell: (row) => (row.trade_id === null ? row.symbol : <Link to={`/live/trades/${row.trade_id}`}>{row.symbol}</Link>),
    value: (row) => row.symbol,
  },
  {
    id: 'side',
    title: 'Side',
    cell: (row) => <Side side={sideOf(row.quantity)} />,
    value: (row) => sideOf(row.quantity),
  },
  {
    id: 'unrealised',
    title: 'Unrealised',
    unit: 'USDT',
    isNumeric: true,
    cell: (row) => <At row={row} show={({ unrealised }) => <Change value={unrealised} decimals={2} />} />,
    value: (row) => row.unrealised,
  },
  {
    id: 'r',
    title: 'Unrealised',
    unit: 'R',
    isNumeric: true,
    cell: (row) => <At row={row} show={({ r }) => <Change value={r} decimals={2} />} />,
    value: (row) => row.unrealised_r,
  },
  {
    id: 'mark',
    title: 'Mark',
    isNumeric: true,
    cell: (row) => <At row={row} show={(worth) => <Price symbol={row.symbol} value={worth.price} isFlashing />} />,
    value: (row) => row.mark_price,
  },
  {
    id: 'levels',
    title: 'Stop … target',
    cell: (row) => (
      <At row={row} show={(worth) => <Levels stop={row.stop} target={row.take_profit_1} price={worth.price} />} />
    ),
  },
  { id: 'stop', title: 'Stop', isNumeric: true, cell: (row) => <Guarded row={row} />, value: (row) => row.stop },
  price('entry', 'Entry', (row) => row.entry_price),
  {
    id: 'quantity',
    title: 'Quantity',
    isNumeric: true,
    cell: (row) => plain(Math.abs(toNumber(row.quantity) ?? 0)),
    value: (row) => row.quantity,
  },
  {
    id: 'hold',
    title: 'Closes in',
    isNumeric: true,
    isForWideScreens: true,
    cell: (row) => <Left untilMs={row.hold_until_ms} />,
    value: (row) => row.hold_until_ms,
  },
  {
    id: 'strategy',
    title: 'Strategy',
    isForWideScreens: true,
    cell: (row) => row.strategy ?? 'not ours',
    value: (row) => row.strategy,
  },
  { id: 'state', title: 'State', cell: (row) => spoken(row.state), value: (row) => row.state },
];

function Deeds({ row, onDeed }: { row: LivePosition; onDeed: (deed: Deed, row: LivePosition) => void }) {
  return (
    <Menu position="bottom-end" width={170}>
      <Menu.Target>
        <ActionIcon variant="subtle" color="gray" size="sm" aria-label={`What to do with ${row.symbol}`}>
          <EllipsisVertical size={15} aria-hidden="true" />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Item onClick={() => onDeed('close', row)}>Close a part, or all…</Menu.Item>
        <Menu.Item onClick={() => onDeed('move', row)}>Move the stop…</Menu.Item>
        {row.state === 'entering' && <Menu.Item onClick={() => onDeed('cancel', row)}>Cancel the entry…</Menu.Item>}
        <Menu.Divider />
        <Menu.Item onClick={() => onDeed('flatten', row)}>Flatten by the guard…</Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}

interface PositionsPanelProps {
  /** Without it, they are only looked at. */
  onDeed?: ((deed: Deed, row: LivePosition) => void) | undefined;
  className?: string | undefined;
}

export function PositionsPanel({ onDeed, className }: PositionsPanelProps) {
  const { asked, rows } = useLivePositions();
  const deeds: Column<LivePosition> = {
    id: 'deeds',
    title: '',
    cell: (row) => onDeed && <Deeds row={row} onDeed={onDeed} />,
  };
  return (
    <Panel title="Positions" note="at the venue’s mark price" asked={asked} isLive lines={3} className={className}>
      <DataTable
        label="Positions"
        columns={onDeed === undefined ? COLUMNS : [...COLUMNS, deeds]}
        rows={rows}
        keyOf={(row) => row.symbol}
        empty={<Empty title="The account is flat">Nothing is held at the venue.</Empty>}
      />
    </Panel>
  );
}
