/** A report, in the order of its doubts: cautions and assumptions, figures with their bands, the curve, the tables. */
import { useMemo } from 'react';
import { SeriesChart } from '@/charts/LazySeriesChart.tsx';
import { direction } from '@/format/numbers.ts';
import { duration, moment } from '@/format/time.ts';
import { Mark } from '@/parts/Mark.tsx';
import { Panel } from '@/parts/Panel.tsx';
import classes from './Backtests.module.css';
import { bandOf, curves, HEADLINES, type Report, type Unit, written } from './report.ts';
import { Tables } from './Tables.tsx';

const STRETCH = [3, 1] as const;
const SIGNED: readonly Unit[] = ['quote_signed', 'share_signed', 'R'];

function Headline({ report, name, label, unit }: { report: Report; name: string; label: string; unit: Unit }) {
  const figure = report.figures[name];
  const way = SIGNED.includes(unit) ? direction(figure?.value) : 0;
  const look = way > 0 ? classes.up : way < 0 ? classes.down : '';
  return (
    <div className={classes.headline}>
      <dt>{label}</dt>
      <dd className={look}>{written(figure, unit)}</dd>
      <dd className={classes.band}>{bandOf(figure, unit) ?? '\u00a0'}</dd>
    </div>
  );
}

export function ReportView({ report }: { report: Report }) {
  const series = useMemo(() => curves(report), [report]);
  const { facts } = report;
  return (
    <>
      <Panel title="What to know first" isPadded note={facts.source}>
        <ul className={classes.lines}>
          {report.cautions.map((caution) => (
            <li key={caution}>
              <Mark tone={facts.ideal && caution.startsWith('IDEAL') ? 'danger' : 'degraded'}>caution</Mark> {caution}
            </li>
          ))}
          {facts.assumptions.map((assumption) => (
            <li key={assumption} className={classes.dim}>
              {assumption}
            </li>
          ))}
        </ul>
      </Panel>
      <Panel title="Figures" note="with their 90 % bands, where one can be given">
        <dl className={classes.headlines}>
          {HEADLINES.map(({ name, label, unit }) => (
            <Headline key={name} report={report} name={name} label={label} unit={unit} />
          ))}
        </dl>
      </Panel>
      <Panel
        title="Equity"
        note={`${moment(facts.start_ms)} to ${moment(facts.end_ms)} UTC, ${duration(facts.end_ms - facts.start_ms)}`}
        className={classes.chart}
      >
        <SeriesChart
          label="Equity, and how far below its highest it was"
          series={series}
          subject={report.report_hash}
          stretch={STRETCH}
        />
      </Panel>
      <Panel title="Tables">
        <Tables report={report} />
      </Panel>
    </>
  );
}
