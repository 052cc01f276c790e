/** `/trades`: what was traded and by whom: volume, delta, large trades, liquidations; gaps are hatched. */
import { useQuery } from '@tanstack/react-query';
import { useMemo, useState } from 'react';
import { type Interval, LENGTH } from '@/charts/bars.ts';
import { Intervals, useIntervalKeys } from '@/charts/ChartPanel.tsx';
import { SeriesChart } from '@/charts/LazySeriesChart.tsx';
import { tradedBefore, useRunning } from '@/charts/useCandles.ts';
import { fixed, short } from '@/format/numbers.ts';
import { duration } from '@/format/time.ts';
import { Fact, Facts } from '@/parts/Facts.tsx';
import { Change } from '@/parts/Figures.tsx';
import { Panel } from '@/parts/Panel.tsx';
import { Empty, Waiting } from '@/parts/States.tsx';
import { SymbolChoice, useSymbol } from '@/parts/SymbolChoice.tsx';
import { LargeTrades } from './LargeTrades.tsx';
import { ForcedOrders, Gaps, Held } from './Lists.tsx';
import classes from './Trades.module.css';
import {
  askHoles,
  askLiquidations,
  beginningOf,
  decimalsOfRows,
  holesOf,
  paceOf,
  type SummaryRow,
  seriesOf,
  tapeOf,
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

function Tape({ symbol }: { symbol: string }) {
  const [interval, setInterval] = useState<Interval>('1m');
  useIntervalKeys(setInterval);
  const length = LENGTH[interval];
  const tape = useMemo(() => tapeOf(symbol, interval, tradedBefore(symbol)), [symbol, interval]);
  const { bars: rows, isLoading, error, answeredAt, older, refresh } = useRunning(tape, paceOf(interval));
  const from = beginningOf(rows, length);
  const gaps = useQuery(askHoles(symbol, from)).data?.gaps;
  const windows = useQuery(askLiquidations(symbol, interval, from)).data?.windows;
  const series = useMemo(() => seriesOf(rows, windows ?? [], length), [rows, windows, length]);
  const holes = useMemo(() => holesOf(gaps ?? [], rows), [gaps, rows]);
  return (
    <Panel
      title="Trades"
      asked={{ isPending: isLoading, error, dataUpdatedAt: answeredAt, refetch: refresh }}
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
        <Totals rows={rows} stepMs={length} />
        {rows.length === 0 ? (
          <Empty title="No trade is stored yet">The recorder writes them as they come; a minute is enough.</Empty>
        ) : (
          <SeriesChart
            label={`Price, volume by side, CVD and liquidations of ${symbol}`}
            series={series}
            holes={holes}
            subject={`${symbol} ${interval}`}
            stretch={STRETCH}
            onLeft={older}
          />
        )}
      </div>
    </Panel>
  );
}

export default function Trades() {
  const symbol = useSymbol();
  return (
    <div className={classes.page}>
      {symbol === null ? <Waiting lines={14} /> : <Tape key={symbol} symbol={symbol} />}
      <div className={classes.lists}>
        <LargeTrades symbol={symbol} />
        <ForcedOrders symbol={symbol} />
        <Gaps symbol={symbol} />
        <Held />
      </div>
    </div>
  );
}
