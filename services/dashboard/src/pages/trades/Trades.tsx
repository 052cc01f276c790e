/** `/trades`: what was traded and by whom: volume, delta, large trades, liquidations; gaps are hatched. */
import { useQuery } from '@tanstack/react-query';
import { useMemo, useState } from 'react';
import { type Interval, LENGTH } from '@/charts/bars.ts';
import { Intervals, useIntervalKeys } from '@/charts/ChartPanel.tsx';
import { SeriesChart } from '@/charts/LazySeriesChart.tsx';
import { fixed, short } from '@/format/numbers.ts';
import { duration } from '@/format/time.ts';
import { Fact, Facts } from '@/parts/Facts.tsx';
import { Change } from '@/parts/Figures.tsx';
import { Panel } from '@/parts/Panel.tsx';
import { Empty } from '@/parts/States.tsx';
import { SymbolChoice, useSymbol } from '@/parts/SymbolChoice.tsx';
import { LargeTrades } from './LargeTrades.tsx';
import { ForcedOrders, Gaps, Held } from './Lists.tsx';
import classes from './Trades.module.css';
import {
  askGaps,
  askLiquidations,
  askSummary,
  decimalsOfRows,
  holesOf,
  type SummaryRow,
  seriesOf,
  totalsOf,
} from './tape.ts';

const STRETCH = [3, 2, 2, 1] as const;

function Totals({ rows, stepMs }: { rows: readonly SummaryRow[]; stepMs: number }) {
  const totals = totalsOf(rows);
  const first = rows[0];
  const last = rows[rows.length - 1];
  const length = first === undefined || last === undefined ? null : last.open_time_ms - first.open_time_ms + stepMs;
  const isKnown = rows.length > 0;
  return (
    <Facts label="All that is shown">
      <Fact name="Shown">{duration(length)}</Fact>
      <Fact name="Volume, base">{isKnown ? short(totals.volume) : '–'}</Fact>
      <Fact name="Volume, USDT">{isKnown ? short(totals.quote) : '–'}</Fact>
      <Fact name="Delta, base">
        <Change value={isKnown ? totals.delta : null} decimals={2} />
      </Fact>
      <Fact name="Trades">{isKnown ? fixed(totals.trades, 0) : '–'}</Fact>
      <Fact name="VWAP">{fixed(totals.vwap, decimalsOfRows(rows))}</Fact>
      <Fact name="Last">{fixed(last?.close, decimalsOfRows(rows))}</Fact>
    </Facts>
  );
}

const NO_ROWS: readonly SummaryRow[] = [];

export default function Trades() {
  const [interval, setInterval] = useState<Interval>('1m');
  useIntervalKeys(setInterval);
  const symbol = useSymbol();
  const asked = useQuery(askSummary(symbol, interval));
  const gaps = useQuery(askGaps(symbol)).data?.gaps;
  const windows = useQuery(askLiquidations(symbol, interval)).data?.windows;
  const rows = asked.data?.rows ?? NO_ROWS;
  const series = useMemo(() => seriesOf(rows, windows ?? [], LENGTH[interval]), [rows, windows, interval]);
  const holes = useMemo(() => holesOf(gaps ?? [], rows), [gaps, rows]);
  return (
    <div className={classes.page}>
      <Panel
        title="Trades"
        asked={asked}
        lines={14}
        note={holes.length > 0 ? `▨ ${holes.length} hatched: trades are missing there` : 'nothing is missing'}
        actions={
          <>
            <SymbolChoice />
            <Intervals chosen={interval} onChoose={setInterval} />
          </>
        }
        className={classes.chart}
      >
        <div className={classes.stack}>
          <Totals rows={rows} stepMs={LENGTH[interval]} />
          {rows.length === 0 ? (
            <Empty title="No trade is stored yet">The recorder writes them as they come; a minute is enough.</Empty>
          ) : (
            <SeriesChart
              label={`Price, volume by side, CVD and liquidations of ${symbol ?? ''}`}
              series={series}
              holes={holes}
              subject={`${symbol} ${interval}`}
              stretch={STRETCH}
            />
          )}
        </div>
      </Panel>
      <div className={classes.lists}>
        <LargeTrades symbol={symbol} />
        <ForcedOrders symbol={symbol} />
        <Gaps symbol={symbol} />
        <Held />
      </div>
    </div>
  );
}
