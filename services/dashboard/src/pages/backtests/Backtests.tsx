/** `/backtests`: start one, watch it, and find the ones before. */
import { Button } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { Link, useNavigate } from 'react-router';
import { percent } from '@/format/numbers.ts';
import { duration } from '@/format/time.ts';
import { Ago } from '@/parts/Ago.tsx';
import { type Column, DataTable } from '@/parts/DataTable.tsx';
import { Mark } from '@/parts/Mark.tsx';
import { Panel } from '@/parts/Panel.tsx';
import { Empty } from '@/parts/States.tsx';
import { useMe } from '@/session/session.ts';
import classes from './Backtests.module.css';
import { NewBacktest } from './NewBacktest.tsx';
import { Progress } from './Progress.tsx';
import { askRuns, type Run, TONES, wantedOf } from './runs.ts';

const COLUMNS: readonly Column<Run>[] = [
  {
    id: 'started',
    title: 'Started',
    cell: (run) => (
      <Link to={`/backtests/${run.backtest_id}`} onClick={(event) => event.stopPropagation()}>
        <Ago ms={run.started_ms} />
      </Link>
    ),
    value: (run) => run.started_ms,
  },
  {
    id: 'state',
    title: 'State',
    cell: (run) => (
      <Mark tone={TONES[run.state]} title={run.detail ?? undefined}>
        {run.state === 'running' ? percent(run.done, 0) : run.state}
      </Mark>
    ),
    value: (run) => run.state,
  },
  { id: 'from', title: 'From', unit: 'UTC', cell: (run) => wantedOf(run).start, value: (run) => wantedOf(run).start },
  { id: 'to', title: 'To', unit: 'UTC', cell: (run) => wantedOf(run).end, value: (run) => wantedOf(run).end },
  { id: 'symbols', title: 'Symbols', cell: (run) => wantedOf(run).symbols, value: (run) => wantedOf(run).symbols },
  {
    id: 'strategies',
    title: 'Strategies',
    cell: (run) => wantedOf(run).strategies,
    value: (run) => wantedOf(run).strategies,
  },
  {
    id: 'took',
    title: 'Took',
    isNumeric: true,
    cell: (run) => (run.ended_ms === null ? '–' : duration(run.ended_ms - run.started_ms)),
    value: (run) => (run.ended_ms === null ? null : run.ended_ms - run.started_ms),
  },
  { id: 'by', title: 'By', cell: (run) => run.started_by, value: (run) => run.started_by },
  { id: 'detail', title: 'Why', isWide: true, cell: (run) => run.detail ?? '–', value: (run) => run.detail },
];

export default function Backtests() {
  const me = useMe();
  const navigate = useNavigate();
  const asked = useQuery(askRuns);
  const rows = asked.data?.rows ?? [];
  const running = rows.find((run) => run.state === 'running');
  const [isOpen, setOpen] = useState(false);
  const mayStart = me.role !== 'viewer';
  const action = mayStart ? (
    <Button
      size="compact-xs"
      variant={isOpen ? 'default' : 'filled'}
      aria-expanded={isOpen}
      onClick={() => setOpen(!isOpen)}
    >
      {isOpen ? 'Close' : 'New backtest …'}
    </Button>
  ) : (
    <span className={classes.dim}>starting one needs the role of a trader; you are a viewer</span>
  );
  return (
    <div className={classes.page}>
      {running !== undefined && (
        <Panel title="Running" note={`${wantedOf(running).start} to ${wantedOf(running).end} UTC`}>
          <Progress run={running} />
        </Panel>
      )}
      <Panel title="Backtests" asked={asked} lines={8} note="the last 50 are kept" actions={action}>
        {isOpen && mayStart && <NewBacktest isBusy={running !== undefined} />}
        <DataTable
          label="Backtests"
          columns={COLUMNS}
          rows={rows}
          keyOf={(run) => run.backtest_id}
          onOpen={(run) => void navigate(`/backtests/${run.backtest_id}`)}
          isFilterable={rows.length > 8}
          empty={
            <Empty title="No backtest has run here">
              {mayStart
                ? 'Start one: it replays what was recorded, with fees, slippage, latency and funding.'
                : 'A trader can start one.'}
            </Empty>
          }
        />
      </Panel>
    </div>
  );
}
