/** The paper account of each strategy: equity, today, what is open, and its limit of the day. */
import { useQuery } from '@tanstack/react-query';
import type { Schema } from '@/api/client.ts';
import { askPaperSummary } from '@/api/queries.ts';
import { fixed, percent, toNumber } from '@/format/numbers.ts';
import { type Column, DataTable } from '@/parts/DataTable.tsx';
import { Mark, type Tone } from '@/parts/Mark.tsx';
import { Panel } from '@/parts/Panel.tsx';
import { Empty } from '@/parts/States.tsx';
import { change } from '@/trading/columns.tsx';
import { spoken } from '@/trading/names.ts';

type Account = Schema<'PaperAccountAnswer'>;

const TONES: Record<string, Tone> = { normal: 'good', warning: 'degraded', circuit_break: 'danger' };

function grown({ equity, starting_balance }: Account): number | null {
  const [now, first] = [toNumber(equity), toNumber(starting_balance)];
  return now === null || first === null || first === 0 ? null : now / first - 1;
}

const COLUMNS: readonly Column<Account>[] = [
  { id: 'strategy', title: 'Strategy', cell: (row) => row.strategy, value: (row) => row.strategy },
  {
    id: 'level',
    title: 'Risk',
    cell: (row) => (
      <Mark tone={row.day_over ? 'danger' : (TONES[row.level] ?? 'neutral')}>
        {row.day_over ? 'day is over' : spoken(row.level)}
      </Mark>
    ),
    value: (row) => row.level,
  },
  {
    id: 'equity',
    title: 'Equity',
    unit: 'USDT',
    isNumeric: true,
    cell: (row) => fixed(row.equity, 2),
    value: (row) => row.equity,
  },
  {
    id: 'grown',
    title: 'Since the start',
    isNumeric: true,
    cell: (row) => percent(grown(row), 2, true),
    value: grown,
  },
  change('today', 'Closed today', 'USDT', (row) => row.net_today),
  change('r', 'Closed today', 'R', (row) => row.net_r_today),
  change('unrealised', 'Unrealised', 'USDT', (row) => row.unrealised),
  { id: 'open', title: 'Open', isNumeric: true, cell: (row) => row.open_positions, value: (row) => row.open_positions },
  {
    id: 'won',
    title: 'Won today',
    isNumeric: true,
    cell: (row) => `${row.won_today} of ${row.closed_today}`,
    value: (row) => row.won_today,
  },
  {
    id: 'risk',
    title: '1 R',
    unit: 'USDT',
    isNumeric: true,
    isForWideScreens: true,
    cell: (row) => fixed(row.risk_per_trade, 2),
    value: (row) => row.risk_per_trade,
  },
];

export function Accounts({ strategy, className }: { strategy: string | null; className?: string | undefined }) {
  const asked = useQuery(askPaperSummary);
  const rows = (asked.data?.accounts ?? []).filter((row) => strategy === null || row.strategy === strategy);
  return (
    <Panel
      title="Paper accounts"
      note="one a strategy; no money is moved"
      asked={asked}
      lines={2}
      className={className}
    >
      <DataTable
        label="Paper accounts"
        columns={COLUMNS}
        rows={rows}
        keyOf={(row) => row.strategy}
        empty={<Empty title="Nobody trades on paper yet">An account begins when its strategy is activated.</Empty>}
      />
    </Panel>
  );
}
