/** What is ordered and open on paper, at the newest price. */
import { useQuery } from '@tanstack/react-query';
import { Link } from 'react-router';
import { useNow } from '@/format/now.ts';
import { plain, toNumber } from '@/format/numbers.ts';
import { duration } from '@/format/time.ts';
import { Ago } from '@/parts/Ago.tsx';
import { type Column, DataTable } from '@/parts/DataTable.tsx';
import { Change, Side } from '@/parts/Figures.tsx';
import { Panel } from '@/parts/Panel.tsx';
import { Empty } from '@/parts/States.tsx';
import { price } from '@/trading/columns.tsx';
import { Levels } from './Levels.tsx';
import { Price } from './Price.tsx';
import { askPaperPositions, type PaperPosition } from './paperPositions.ts';
import { madeByOpen, nextTarget, type Worth, worthOf } from './paperWorth.ts';
import { useLastPrice, useLastPrices } from './prices.ts';

function Live({ row, show }: { row: PaperPosition; show: (worth: Worth) => React.ReactNode }) {
  return show(worthOf(row, useLastPrice(row.symbol)));
}

function Left({ untilMs }: { untilMs: number | null }) {
  const now = useNow();
  return <span>{untilMs === null ? '–' : duration(untilMs - now)}</span>;
}

const COLUMNS: readonly Column<PaperPosition>[] = [
  {
    id: 'symbol',
    title: 'Symbol',
    cell: (row) => <Link to={`/signals/${row.signal_id}`}>{row.symbol}</Link>,
    value: (row) => row.symbol,
  },
  { id: 'side', title: 'Side', cell: (row) => <Side side={row.direction} />, value: (row) => row.direction },
  {
    id: 'unrealised',
    title: 'Unrealised',
    unit: 'USDT',
    isNumeric: true,
    cell: (row) => <Live row={row} show={({ unrealised }) => <Change value={unrealised} decimals={2} />} />,
    value: (row) => row.unrealised,
  },
  {
    id: 'r',
    title: 'Unrealised',
    unit: 'R',
    isNumeric: true,
    cell: (row) => <Live row={row} show={({ r }) => <Change value={r} decimals={2} />} />,
    value: (row) => row.unrealised_r,
  },
  {
    id: 'price',
    title: 'Price',
    isNumeric: true,
    cell: (row) => <Live row={row} show={(worth) => <Price symbol={row.symbol} value={worth.price} isFlashing />} />,
    value: (row) => row.price,
  },
  {
    id: 'levels',
    title: 'Stop … target',
    cell: (row) => (
      <Live
        row={row}
        show={(worth) => <Levels stop={row.stop_now ?? row.stop_loss} target={nextTarget(row)} price={worth.price} />}
      />
    ),
  },
  price('entry', 'Entry', (row) => row.entry_price),
  {
    id: 'stop',
    title: 'Stop now',
    isNumeric: true,
    isForWideScreens: true,
    cell: (row) => <Price symbol={row.symbol} value={row.stop_now ?? row.stop_loss} />,
  },
  {
    id: 'target',
    title: 'Next target',
    isNumeric: true,
    isForWideScreens: true,
    cell: (row) => <Price symbol={row.symbol} value={nextTarget(row)} />,
  },
  {
    id: 'left',
    title: 'Left',
    isNumeric: true,
    cell: (row) => `${plain(row.quantity_left)} of ${plain(row.quantity)}`,
    value: (row) => toNumber(row.quantity_left),
  },
  {
    id: 'since',
    title: 'Since',
    isNumeric: true,
    cell: (row) => <Ago ms={row.entry_time_ms} />,
    value: (row) => row.entry_time_ms,
  },
  {
    id: 'hold',
    title: 'Closes in',
    isNumeric: true,
    isForWideScreens: true,
    cell: (row) => <Left untilMs={row.hold_until_ms} />,
    value: (row) => row.hold_until_ms,
  },
  { id: 'strategy', title: 'Strategy', cell: (row) => row.strategy, value: (row) => row.strategy },
];

/** Of all that is open on paper, at the newest trades. */
export function useMadeOnPaper(isAsked: boolean) {
  const asked = useQuery({ ...askPaperPositions(null), enabled: isAsked });
  const lastOf = useLastPrices();
  return asked.data === undefined ? { quote: null, r: null } : madeByOpen(asked.data.rows, lastOf);
}

export function PaperOpen({ strategy, className }: { strategy: string | null; className?: string | undefined }) {
  const asked = useQuery(askPaperPositions(strategy));
  return (
    <Panel title="Open on paper" asked={asked} isLive lines={3} className={className}>
      <DataTable
        label="Open on paper"
        columns={COLUMNS}
        rows={asked.data?.rows ?? []}
        keyOf={(row) => row.trade_id}
        empty={
          <Empty title="Nothing is open">The next signal that is emitted and may be taken opens a position.</Empty>
        }
      />
    </Panel>
  );
}
