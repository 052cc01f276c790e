/** How good each strategy’s closed trades were. */
import { useQuery } from '@tanstack/react-query';
import { fixed, percent } from '@/format/numbers.ts';
import { duration } from '@/format/time.ts';
import { type Column, DataTable } from '@/parts/DataTable.tsx';
import { Change } from '@/parts/Figures.tsx';
import { Panel } from '@/parts/Panel.tsx';
import { Empty } from '@/parts/States.tsx';
import { askPaperStatistics, type Narrowed, type PaperStatistics } from './asking.ts';

interface Measure {
  id: string;
  name: string;
  title?: string;
  cell: (row: PaperStatistics) => React.ReactNode;
}

/** Named by row, so that strategies stand beside each other. */
const MEASURES: readonly Measure[] = [
  { id: 'trades', name: 'Trades, won', cell: (row) => `${row.trades}, ${percent(row.win_rate, 0)}` },
  { id: 'net', name: 'Net, USDT', cell: (row) => <Change value={row.net} decimals={2} /> },
  { id: 'r', name: 'Net, R', cell: (row) => <Change value={row.net_r} decimals={2} /> },
  { id: 'mean', name: 'Mean, R', cell: (row) => <Change value={row.mean_r} decimals={3} /> },
  { id: 'factor', name: 'Profit factor', title: 'Gains by losses', cell: (row) => fixed(row.profit_factor, 2) },
  { id: 'fall', name: 'Deepest fall, USDT', cell: (row) => fixed(row.deepest_fall, 2) },
  { id: 'best', name: 'Best, R', cell: (row) => <Change value={row.best_r} decimals={2} /> },
  { id: 'worst', name: 'Worst, R', cell: (row) => <Change value={row.worst_r} decimals={2} /> },
  {
    id: 'mfe',
    name: 'Mean MFE, R',
    title: 'The best that a trade was in between',
    cell: (row) => <Change value={row.mean_favourable_r} decimals={2} />,
  },
  {
    id: 'mae',
    name: 'Mean MAE, R',
    title: 'The worst that a trade was in between',
    cell: (row) => <Change value={row.mean_adverse_r} decimals={2} />,
  },
  { id: 'hold', name: 'Mean hold', cell: (row) => duration(row.mean_hold_ms) },
  { id: 'fees', name: 'Fees, USDT', cell: (row) => fixed(row.fees, 2) },
  { id: 'slippage', name: 'Slippage, USDT', cell: (row) => fixed(row.slippage, 2) },
  { id: 'funding', name: 'Funding, USDT', cell: (row) => fixed(row.funding, 2) },
];

function columnsOf(strategies: readonly PaperStatistics[]): readonly Column<Measure>[] {
  const own = strategies.map(
    (row): Column<Measure> => ({
      id: row.strategy,
      title: row.strategy,
      isNumeric: true,
      cell: (measure) => measure.cell(row),
    }),
  );
  return [{ id: 'name', title: 'Closed trades', cell: ({ name, title }) => <span title={title}>{name}</span> }, ...own];
}

export function Statistics({ narrowed }: { narrowed: Narrowed }) {
  const asked = useQuery(askPaperStatistics(narrowed));
  const strategies = asked.data?.rows ?? [];
  return (
    <Panel title="Statistics" asked={asked} lines={10}>
      {strategies.length === 0 ? (
        <Empty title="No trade has closed in this time">Statistics are counted of closed trades only.</Empty>
      ) : (
        <DataTable
          label="Statistics"
          columns={columnsOf(strategies)}
          rows={MEASURES}
          keyOf={(measure) => measure.id}
          empty={null}
        />
      )}
    </Panel>
  );
}
