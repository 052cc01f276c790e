/** `/backtests/ID`: how far a run is, how it ended, and its report. */
import { Anchor } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { Link, useParams } from 'react-router';
import { Problem } from '@/api/problem.ts';
import { duration } from '@/format/time.ts';
import { Ago } from '@/parts/Ago.tsx';
import { Fact, Facts } from '@/parts/Facts.tsx';
import { Mark } from '@/parts/Mark.tsx';
import { Panel } from '@/parts/Panel.tsx';
import { Empty, Failed, Waiting } from '@/parts/States.tsx';
import classes from './Backtests.module.css';
import { Progress } from './Progress.tsx';
import { ReportView } from './ReportView.tsx';
import { askReport, askRun, type Run, TONES, wantedOf } from './runs.ts';

function Head({ run }: { run: Run }) {
  const wanted = wantedOf(run);
  return (
    <Facts label="The run">
      <Fact name="State">
        <Mark tone={TONES[run.state]}>{run.state}</Mark>
      </Fact>
      <Fact name="From, UTC">{wanted.start}</Fact>
      <Fact name="To, UTC">{wanted.end}</Fact>
      <Fact name="Symbols">{wanted.symbols}</Fact>
      <Fact name="Strategies">{wanted.strategies}</Fact>
      <Fact name="Trades">{wanted.view}</Fact>
      <Fact name="Started">
        <Ago ms={run.started_ms} /> by {run.started_by}
      </Fact>
      {run.ended_ms !== null && <Fact name="Took">{duration(run.ended_ms - run.started_ms)}</Fact>}
    </Facts>
  );
}

/** No run has this id, or it is none at all. */
const UNKNOWN = [404, 422];

const ENDED: Partial<Record<Run['state'], string>> = {
  cancelled: 'It was cancelled: nothing is kept of its result',
  failed: 'It has failed',
};

export default function BacktestPage() {
  const { backtestId = '' } = useParams();
  const asked = useQuery(askRun(backtestId));
  const run = asked.data;
  const report = useQuery(askReport(backtestId, run?.state === 'done'));
  const whole = `/api/backtests/${backtestId}/report.html`;
  const actions = (
    <>
      {run?.state === 'done' && (
        <Anchor size="xs" href={whole} target="_blank">
          The whole report, with every formula
        </Anchor>
      )}
      <Anchor size="xs" component={Link} to="/backtests">
        All backtests
      </Anchor>
    </>
  );
  const ended = run === undefined ? undefined : ENDED[run.state];
  if (asked.error instanceof Problem && UNKNOWN.includes(asked.error.status)) {
    return (
      <Empty title="There is no such backtest">
        The last 50 are kept; <Link to="/backtests">all backtests</Link>.
      </Empty>
    );
  }
  return (
    <div className={classes.page}>
      <Panel title={`Backtest ${backtestId}`} asked={asked} lines={2} actions={actions}>
        {run !== undefined && <Head run={run} />}
        {run?.state === 'running' && <Progress run={run} />}
        {ended !== undefined && <Empty title={ended}>{run?.detail}</Empty>}
      </Panel>
      {run?.state === 'done' && report.isPending && <Waiting lines={10} height={24} />}
      {report.error !== null && <Failed error={report.error} retry={() => void report.refetch()} />}
      {report.data !== undefined && <ReportView report={report.data} />}
    </div>
  );
}
