/** The report's tables: trades by what they have in common, one by one, what was refused, what was missing. */
import { Tabs } from '@mantine/core';
import { fixed, percent } from '@/format/numbers.ts';
import { duration } from '@/format/time.ts';
import { Moment } from '@/parts/Ago.tsx';
import { type Column, DataTable } from '@/parts/DataTable.tsx';
import { Side } from '@/parts/Figures.tsx';
import { Mark } from '@/parts/Mark.tsx';
import { Empty } from '@/parts/States.tsx';
import { change } from '@/trading/columns.tsx';
import { type Group, type Report, type ReportTrade, written } from './report.ts';

const GROUP: readonly Column<Group>[] = [
  { id: 'key', title: 'Which', cell: (row) => row.key.replaceAll('_', ' '), value: (row) => row.key },
  { id: 'trades', title: 'Trades', isNumeric: true, cell: (row) => row.trades, value: (row) => row.trades },
  {
    id: 'wins',
    title: 'Win rate',
    isNumeric: true,
    cell: (row) => written(row.win_rate, 'share'),
    value: (row) => row.win_rate.value,
  },
  change('net', 'Net', 'USDT', (row) => row.net),
  {
    id: 'costs',
    title: 'Costs',
    unit: 'USDT',
    isNumeric: true,
    cell: (row) => fixed(row.costs, 2),
    value: (row) => row.costs,
  },
  change('expectancy', 'Expectancy', 'R', (row) => row.expectancy_r.value),
  {
    id: 'factor',
    title: 'Profit factor',
    isNumeric: true,
    cell: (row) => written(row.profit_factor, 'ratio'),
    value: (row) => row.profit_factor.value,
  },
  {
    id: 'hold',
    title: 'Median hold',
    isNumeric: true,
    cell: (row) => duration(row.median_hold_ms.value),
    value: (row) => row.median_hold_ms.value,
  },
];

function lastExit(trade: ReportTrade): { reason: string; time_ms: number } | undefined {
  return trade.exits[trade.exits.length - 1];
}

const TRADES: readonly Column<ReportTrade>[] = [
  {
    id: 'entry',
    title: 'Entry',
    isInstant: true,
    cell: (row) => <Moment ms={row.entry.time_ms} />,
    value: (row) => row.entry.time_ms,
  },
  { id: 'symbol', title: 'Symbol', cell: (row) => row.symbol, value: (row) => row.symbol },
  { id: 'side', title: 'Side', cell: (row) => <Side side={row.direction} />, value: (row) => row.direction },
  { id: 'strategy', title: 'Strategy', cell: (row) => `${row.strategy} v${row.version}`, value: (row) => row.strategy },
  { id: 'score', title: 'Score', isNumeric: true, cell: (row) => fixed(row.score, 1), value: (row) => row.score },
  {
    id: 'price',
    title: 'Entry price',
    isNumeric: true,
    cell: (row) => row.entry.price,
    value: (row) => row.entry.price,
  },
  {
    id: 'held',
    title: 'Held',
    isNumeric: true,
    cell: (row) => duration((lastExit(row)?.time_ms ?? row.entry.time_ms) - row.entry.time_ms),
    value: (row) => (lastExit(row)?.time_ms ?? row.entry.time_ms) - row.entry.time_ms,
  },
  {
    id: 'exit',
    title: 'Exit',
    cell: (row) => (lastExit(row)?.reason ?? '–').replaceAll('_', ' '),
    value: (row) => lastExit(row)?.reason,
  },
  change('net', 'Net', 'USDT', (row) => row.net),
  change('r', 'Net', 'R', (row) => row.net_r),
  change('mae', 'MAE', 'R', (row) => row.adverse_r),
  change('mfe', 'MFE', 'R', (row) => row.favourable_r),
];

type Refused = Report['tables']['refused'][number];
const REFUSED: readonly Column<Refused>[] = [
  { id: 'stage', title: 'By', cell: (row) => row.stage, value: (row) => row.stage },
  { id: 'reason', title: 'Reason', cell: (row) => row.reason.replaceAll('_', ' '), value: (row) => row.reason },
  { id: 'count', title: 'Signals', isNumeric: true, cell: (row) => fixed(row.count, 0), value: (row) => row.count },
  { id: 'share', title: 'Of all', isNumeric: true, cell: (row) => percent(row.share, 1), value: (row) => row.share },
];

type Covered = Report['coverage'][number];
const COVERED: readonly Column<Covered>[] = [
  { id: 'symbol', title: 'Symbol', cell: (row) => row.symbol, value: (row) => row.symbol },
  { id: 'name', title: 'Input', cell: (row) => row.name.replaceAll('_', ' '), value: (row) => row.name },
  {
    id: 'share',
    title: 'There',
    isNumeric: true,
    cell: (row) => (row.share < 1 ? <Mark tone="degraded">{percent(row.share, 2)}</Mark> : percent(row.share, 0)),
    value: (row) => row.share,
  },
  { id: 'missing', title: 'Missing', isWide: true, cell: (row) => row.missing || '–', value: (row) => row.missing },
];

const BY: readonly (readonly [string, keyof Report['tables'] & `by_${string}`])[] = [
  ['By symbol', 'by_symbol'],
  ['By strategy', 'by_strategy'],
  ['By side', 'by_direction'],
  ['By exit', 'by_exit'],
  ['By score', 'by_score'],
  ['By hour', 'by_hour'],
  ['By hold', 'by_hold'],
];

const NO_TRADES = <Empty title="No position was opened">See what was refused, and why.</Empty>;

export function Tables({ report }: { report: Report }) {
  return (
    <Tabs defaultValue={report.trades.length > 0 ? 'trades' : 'refused'} keepMounted={false}>
      <Tabs.List>
        <Tabs.Tab value="trades">Trades</Tabs.Tab>
        {BY.map(([name, table]) => (
          <Tabs.Tab key={table} value={table}>
            {name}
          </Tabs.Tab>
        ))}
        <Tabs.Tab value="refused">Refused</Tabs.Tab>
        <Tabs.Tab value="coverage">Coverage</Tabs.Tab>
      </Tabs.List>
      <Tabs.Panel value="trades">
        <DataTable
          label="Trades"
          columns={TRADES}
          rows={report.trades}
          keyOf={(row) => row.signal_id}
          isFilterable
          maxHeight={480}
          empty={NO_TRADES}
        />
      </Tabs.Panel>
      {BY.map(([name, table]) => (
        <Tabs.Panel key={table} value={table}>
          <DataTable
            label={`Trades ${name.toLowerCase()}`}
            columns={GROUP}
            rows={report.tables[table]}
            keyOf={(row) => row.key}
            empty={NO_TRADES}
          />
        </Tabs.Panel>
      ))}
      <Tabs.Panel value="refused">
        <DataTable
          label="Refused signals"
          columns={REFUSED}
          rows={report.tables.refused}
          keyOf={(row) => `${row.stage} ${row.reason}`}
          empty={<Empty title="No signal was refused" />}
        />
      </Tabs.Panel>
      <Tabs.Panel value="coverage">
        <DataTable
          label="Coverage"
          columns={COVERED}
          rows={report.coverage}
          keyOf={(row) => `${row.symbol} ${row.name}`}
          empty={<Empty title="Nothing was needed" />}
        />
      </Tabs.Panel>
    </Tabs>
  );
}
