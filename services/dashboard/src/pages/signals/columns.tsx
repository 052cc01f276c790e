/** What stands in the list of signals. */
import { Link } from 'react-router';
import { Ago } from '@/parts/Ago.tsx';
import type { Column } from '@/parts/DataTable.tsx';
import { Change, Side } from '@/parts/Figures.tsx';
import { Mark } from '@/parts/Mark.tsx';
import type { Listed } from '@/trading/listed.ts';
import { spoken } from '@/trading/names.ts';
import { inBooks, type Outcome, type Outcomes } from './outcomes.ts';
import { ScoreBar } from './ScoreBar.tsx';
import classes from './Signals.module.css';

export function OutcomeMark({ signal }: { signal: Pick<Listed, 'state' | 'reason'> }) {
  if (signal.state === 'emitted') return <Mark tone="accent">emitted</Mark>;
  return <Mark tone="neutral">refused: {spoken(signal.reason)}</Mark>;
}

/** Closed with a result in R, open, or not taken; of each trade that there is. */
function Became({ outcomes }: { outcomes: readonly Outcome[] }) {
  if (outcomes.length === 0) return <span>–</span>;
  return outcomes.map(({ account, trade_id, state, reason, net_r }) => (
    <span key={`${account} ${trade_id}`} title={`${account ?? 'paper'}: ${spoken(state)}, ${spoken(reason)}`}>
      {state === 'closed' ? <Change value={net_r} decimals={2} unit="R" /> : spoken(state)}{' '}
    </span>
  ));
}

function becameColumn(outcomes: Outcomes, books: Outcome['books'], title: string): Column<Listed> {
  return {
    id: books,
    title,
    isNumeric: true,
    cell: (row) => <Became outcomes={inBooks(outcomes, row.event_id, books)} />,
    value: (row) => inBooks(outcomes, row.event_id, books)[0]?.net_r,
  };
}

/** The column of accounts stands there where one has done something. */
export function columnsOf(outcomes: Outcomes): readonly Column<Listed>[] {
  const isLive = [...outcomes.values()].some((each) => each.some((outcome) => outcome.books === 'live'));
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
    ...(isLive ? [becameColumn(outcomes, 'live', 'Live')] : []),
    becameColumn(outcomes, 'paper', 'On paper'),
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
