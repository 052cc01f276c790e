/** `/history`: what longs have paid shorts at each settlement, of all symbols: zoomable, in figures, as CSV. */
import { SegmentedControl } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useMemo, useState } from 'react';
import { SeriesChart } from '@/charts/LazySeriesChart.tsx';
import { Moment } from '@/parts/Ago.tsx';
import { type Column, DataTable } from '@/parts/DataTable.tsx';
import { Change } from '@/parts/Figures.tsx';
import { Panel } from '@/parts/Panel.tsx';
import { Empty } from '@/parts/States.tsx';
import { useSymbols } from '@/parts/SymbolChoice.tsx';
import classes from './Funding.module.css';
import { FundingTable } from './FundingTable.tsx';
import {
  askHistory,
  askWeek,
  beginningOf,
  type Drawn,
  linesOf,
  MOST_LINES,
  type Settlement,
  type Span,
} from './funding.ts';
import { useFundingRows } from './rows.ts';

const NOTHING: readonly Settlement[] = [];
const SHOWN = 500;

const COLUMNS: readonly Column<Settlement>[] = [
  { id: 'time', title: 'Settled', cell: (row) => <Moment ms={row.time_ms} />, value: (row) => row.time_ms },
  { id: 'symbol', title: 'Symbol', cell: (row) => row.symbol, value: (row) => row.symbol },
  {
    id: 'rate',
    title: 'Rate',
    unit: '%',
    isNumeric: true,
    cell: (row) => <Change value={Number(row.rate) * 100} decimals={4} />,
    value: (row) => row.rate,
  },
  {
    id: 'payer',
    title: 'Who paid',
    cell: (row) => (Number(row.rate) > 0 ? 'longs' : Number(row.rate) < 0 ? 'shorts' : 'nobody'),
    value: (row) => (Number(row.rate) > 0 ? 'longs' : Number(row.rate) < 0 ? 'shorts' : 'nobody'),
  },
];

function useHidden(): [ReadonlySet<string>, (symbol: string) => void] {
  const [hidden, setHidden] = useState<ReadonlySet<string>>(new Set());
  const turn = (symbol: string) =>
    setHidden((before) => {
      const after = new Set(before);
      if (!after.delete(symbol)) after.add(symbol);
      return after;
    });
  return [hidden, turn];
}

interface ChoicesProps {
  span: Span;
  onSpan: (span: Span) => void;
  drawn: Drawn;
  onDrawn: (drawn: Drawn) => void;
}

function Choices({ span, onSpan, drawn, onDrawn }: ChoicesProps) {
  return (
    <>
      <SegmentedControl
        size="xs"
        aria-label="What is drawn"
        value={drawn}
        onChange={(value) => onDrawn(value as Drawn)}
        data={[
          { value: 'rates', label: 'Each rate' },
          { value: 'sum', label: 'Running sum' },
        ]}
      />
      <SegmentedControl
        size="xs"
        aria-label="Span"
        value={span}
        onChange={(value) => onSpan(value as Span)}
        data={[
          { value: '7d', label: '7 d' },
          { value: '30d', label: '30 d' },
          { value: '90d', label: '90 d' },
          { value: '1y', label: '1 y' },
        ]}
      />
    </>
  );
}

const NONE = (
  <Empty title="No settlement is known in this span">
    Settled rates are fetched when the stack starts, and every hour after: most symbols settle every eight hours.
  </Empty>
);

export default function Funding() {
  const [span, setSpan] = useState<Span>('7d');
  const [drawn, setDrawn] = useState<Drawn>('rates');
  const [hidden, turn] = useHidden();
  const asked = useQuery(askHistory(span));
  const week = useQuery(askWeek);
  const symbols = useSymbols();
  const settled = asked.data?.rows ?? NOTHING;
  const rows = useFundingRows(settled);
  const untilMs = asked.dataUpdatedAt;
  const lines = useMemo(
    () => linesOf(settled, symbols, { hidden, drawn, untilMs }),
    [settled, symbols, hidden, drawn, untilMs],
  );
  const newest = useMemo(() => [...settled].reverse().slice(0, SHOWN), [settled]);
  const more =
    symbols.length > MOST_LINES ? `the first ${MOST_LINES} of ${symbols.length} symbols are drawn` : undefined;
  return (
    <div className={classes.page}>
      <Panel
        title="Settled funding"
        note={more ?? 'above 0: longs paid shorts'}
        asked={asked}
        lines={12}
        actions={<Choices span={span} onSpan={setSpan} drawn={drawn} onDrawn={setDrawn} />}
        className={classes.chart}
      >
        {settled.length === 0 ? (
          NONE
        ) : (
          <SeriesChart
            label="Settled funding by symbol; the table below has its figures"
            series={lines}
            subject={`${span} ${drawn}`}
          />
        )}
      </Panel>
      <Panel title="By symbol" asked={week} isLive note="running: the estimate until it settles">
        <FundingTable rows={rows} hidden={hidden} onTurn={turn} />
      </Panel>
      <Panel
        title="Settlements"
        asked={asked}
        note={settled.length > SHOWN ? `the newest ${SHOWN} of ${settled.length}; CSV has all` : undefined}
      >
        <DataTable
          label="Settlements"
          columns={COLUMNS}
          rows={newest}
          keyOf={(row) => `${row.symbol} ${row.time_ms}`}
          isFilterable
          csv={`/api/history?from=${beginningOf(span, asked.dataUpdatedAt)}&format=csv`}
          maxHeight={360}
          empty={NONE}
        />
      </Panel>
    </div>
  );
}
