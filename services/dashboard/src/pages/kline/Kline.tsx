/** `/kline`: one symbol's candles over the whole page, and the same in figures, from trades, mark prices or archives. */
import { SegmentedControl } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useMemo, useState } from 'react';
import type { Interval } from '@/charts/bars.ts';
import { ChartPanel, Intervals } from '@/charts/ChartPanel.tsx';
import { decimalsOf, fixed, percent, short } from '@/format/numbers.ts';
import { Moment } from '@/parts/Ago.tsx';
import { type Column, DataTable } from '@/parts/DataTable.tsx';
import { Change } from '@/parts/Figures.tsx';
import { Panel } from '@/parts/Panel.tsx';
import { Empty, Waiting } from '@/parts/States.tsx';
import { SymbolChoice, useSymbol } from '@/parts/SymbolChoice.tsx';
import { change } from '@/trading/columns.tsx';
import { askCandles, type Candle, changeOf, csvOf, type Source } from './candleRows.ts';
import classes from './Kline.module.css';

function price(id: 'open' | 'high' | 'low' | 'close', title: string, decimals: number): Column<Candle> {
  return { id, title, isNumeric: true, cell: (row) => fixed(row[id], decimals), value: (row) => row[id] };
}

function columns(decimals: number): Column<Candle>[] {
  return [
    {
      id: 'time',
      title: 'Begins',
      isInstant: true,
      cell: (row) => <Moment ms={row.open_time_ms} />,
      value: (row) => row.open_time_ms,
    },
    price('open', 'Open', decimals),
    price('high', 'High', decimals),
    price('low', 'Low', decimals),
    price('close', 'Close', decimals),
    {
      id: 'change',
      title: 'Change',
      unit: '%',
      isNumeric: true,
      cell: (row) => <Change value={changeOf(row) === null ? null : Number(changeOf(row)) * 100} decimals={2} />,
      value: changeOf,
    },
    {
      id: 'volume',
      title: 'Volume',
      unit: 'base',
      isNumeric: true,
      cell: (row) => short(row.volume),
      value: (row) => row.volume,
    },
    change('cvd', 'CVD', 'base', (row) => row.cvd ?? null),
    {
      id: 'vwap',
      title: 'VWAP',
      isNumeric: true,
      cell: (row) => fixed(row.vwap, decimals),
      value: (row) => row.vwap ?? null,
    },
    {
      id: 'range',
      title: 'Range',
      isNumeric: true,
      isForWideScreens: true,
      cell: (row) => percent((Number(row.high) - Number(row.low)) / Number(row.low), 2),
      value: (row) => (Number(row.high) - Number(row.low)) / Number(row.low),
    },
  ];
}

const SOURCES = [
  { value: 'trades', label: 'Trades' },
  { value: 'rates', label: 'Mark prices' },
  { value: 'klines', label: 'Archive' },
];

const WHY: Record<Source, string> = {
  trades: 'The recorder writes trades as they come; a minute is enough.',
  rates: 'A mark price is written every two seconds; a minute is enough.',
  klines: 'Bars of the archive come with `perpstream data import`.',
};

function Figures({ symbol }: { symbol: string }) {
  const [source, setSource] = useState<Source>('trades');
  const [interval, setInterval] = useState<Interval>('1m');
  const asked = useQuery(askCandles(symbol, interval, source));
  const rows = useMemo(() => [...(asked.data?.candles ?? [])].reverse(), [asked.data]);
  const decimals = Math.max(0, ...rows.slice(0, 50).map((row) => decimalsOf(row.close.replace(/(\.\d*?)0+$/, '$1'))));
  const written =
    source === 'rates' ? Math.min(decimals, 4) : Math.max(0, ...rows.slice(0, 50).map((row) => decimalsOf(row.close)));
  const shown = useMemo(() => columns(written), [written]);
  return (
    <Panel
      title="In figures"
      asked={asked}
      lines={8}
      note="newest first; intervals in which nothing was traded are left out"
      actions={
        <>
          <SegmentedControl
            size="xs"
            aria-label="Candles of"
            value={source}
            onChange={(value) => setSource(value as Source)}
            data={SOURCES}
          />
          <Intervals chosen={interval} onChoose={setInterval} />
        </>
      }
    >
      <DataTable
        label={`Candles of ${symbol}`}
        columns={shown}
        rows={rows}
        keyOf={(row) => String(row.open_time_ms)}
        csv={csvOf(symbol, interval, source)}
        maxHeight={340}
        empty={<Empty title="No candle of this source">{WHY[source]}</Empty>}
      />
    </Panel>
  );
}

export default function Kline() {
  const symbol = useSymbol();
  if (symbol === null) return <Waiting lines={10} height={28} />;
  return (
    <div className={classes.page}>
      <div className={classes.bar}>
        <SymbolChoice />
        <span className={classes.dim}>
          <span className={classes.keys}>keys 1 to 9, 0 and - choose the time frame; </span>drag left for history
        </span>
      </div>
      <ChartPanel symbol={symbol} className={classes.chart ?? ''} />
      <Figures symbol={symbol} />
    </div>
  );
}
