/** What stands in the list of signals. */
import { Link } from 'react-router';
import type { Schema } from '@/api/client.ts';
import { Ago } from '@/parts/Ago.tsx';
import type { Column } from '@/parts/DataTable.tsx';
import { Change, Side } from '@/parts/Figures.tsx';
import { Mark } from '@/parts/Mark.tsx';
import type { Listed } from '@/trading/listed.ts';
import { spoken } from '@/trading/names.ts';
import { ScoreBar } from './ScoreBar.tsx';
import classes from './Signals.module.css';

export type Outcomes = ReadonlyMap<string, Schema<'PaperTradeAnswer'>>;

export function OutcomeMark({ signal }: { signal: Pick<Listed, 'state' | 'reason'> }) {
  if (signal.state === 'emitted') return <Mark tone="accent">emitted</Mark>;
  return <Mark tone="neutral">refused: {spoken(signal.reason)}</Mark>;
}

/** On paper: closed with a result in R, open, or not taken. */
function Became({ trade }: { trade: Schema<'PaperTradeAnswer'> | undefined }) {
  if (trade === undefined) return <span>–</span>;
  if (trade.state === 'closed') return <Change value={trade.net_r} decimals={2} unit="R" />;
  return <span title={spoken(trade.reason)}>{spoken(trade.state)}</span>;
}

export function columnsOf(outcomes: Outcomes): readonly Column<Listed>[] {
  return [
    {
      id: 'time',
      title: 'When',
      cell: (row) => (
        <Link to={`/signals/${row.event_id}`}>
          <Ago ms={row.event_time_ms} />
        </Link>
      ),
      value: (row) => row.event_time_ms,
    },
    { id: 'symbol', title: 'Symbol', cell: (row) => row.symbol, value: (row) => row.symbol },
    { id: 'side', title: 'Side', cell: (row) => <Side side={row.direction} />, value: (row) => row.direction },
    {
      id: 'score',
      title: 'Score',
      isNumeric: true,
      cell: (row) => <ScoreBar score={row.score} threshold={row.threshold} direction={row.direction} />,
      value: (row) => row.score,
    },
    {
      id: 'outcome',
      title: 'Outcome',
      cell: (row) => <OutcomeMark signal={row} />,
      value: (row) => (row.state === 'emitted' ? 'emitted' : `refused ${spoken(row.reason)}`),
    },
    {
      id: 'paper',
      title: 'On paper',
      isNumeric: true,
      cell: (row) => <Became trade={outcomes.get(row.event_id)} />,
      value: (row) => outcomes.get(row.event_id)?.net_r,
    },
    {
      id: 'strategy',
      title: 'Strategy',
      isForWideScreens: true,
      cell: (row) => row.strategy,
      value: (row) => row.strategy,
    },
    {
      id: 'sentence',
      title: 'Why',
      isWide: true,
      isForWideScreens: true,
      cell: (row) => <span className={classes.sentence}>{row.sentence}</span>,
      value: (row) => row.sentence,
    },
  ];
}
