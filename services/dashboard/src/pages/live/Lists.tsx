/** The account's orders, its events, and what people have told it. */
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { Link } from 'react-router';
import type { Schema } from '@/api/client.ts';
import { Ago } from '@/parts/Ago.tsx';
import { type Column, DataTable } from '@/parts/DataTable.tsx';
import { Mark, type Tone } from '@/parts/Mark.tsx';
import { Panel } from '@/parts/Panel.tsx';
import { Empty } from '@/parts/States.tsx';
import { spoken } from '@/trading/names.ts';
import { Older } from '@/trading/Older.tsx';
import { askEvents, askOrders, askRiskHistory, type LiveEvent } from './asking.ts';
import { ORDER_COLUMNS } from './orderColumns.tsx';

export function Orders() {
  const asked = useInfiniteQuery(askOrders);
  return (
    <Panel title="Orders" asked={asked} lines={8}>
      <DataTable
        label="Orders"
        columns={ORDER_COLUMNS}
        rows={asked.data?.pages.flatMap((page) => page.rows) ?? []}
        keyOf={(row) => row.client_order_id}
        isFilterable
        csv="/api/live/orders?format=csv"
        tools={<Older asked={asked} />}
        maxHeight={520}
        empty={<Empty title="No order was ever meant">An order stands here before it is sent.</Empty>}
      />
    </Panel>
  );
}

/** The figures of an event in one line. */
export function detailOf(detail: Readonly<Record<string, unknown>>): string {
  return Object.entries(detail)
    .filter(([, value]) => value !== null && value !== '')
    .map(([name, value]) => `${spoken(name)} ${typeof value === 'object' ? JSON.stringify(value) : String(value)}`)
    .join(', ');
}

export const EVENT_COLUMNS: readonly Column<LiveEvent>[] = [
  { id: 'time', title: 'When', cell: (row) => <Ago ms={row.event_time_ms} />, value: (row) => row.event_time_ms },
  { id: 'kind', title: 'What', cell: (row) => spoken(row.kind), value: (row) => spoken(row.kind) },
  {
    id: 'trade',
    title: 'Trade',
    cell: (row) =>
      row.trade_id === null ? '–' : <Link to={`/live/trades/${row.trade_id}`}>{row.trade_id.slice(0, 8)}</Link>,
    value: (row) => row.trade_id,
  },
  {
    id: 'detail',
    title: 'Detail',
    isWide: true,
    cell: (row) => detailOf(row.detail),
    value: (row) => detailOf(row.detail),
  },
];

export function Events() {
  const asked = useInfiniteQuery(askEvents);
  return (
    <Panel title="Events" asked={asked} lines={8}>
      <DataTable
        label="Events"
        columns={EVENT_COLUMNS}
        rows={asked.data?.pages.flatMap((page) => page.rows) ?? []}
        keyOf={(row) => row.event_id}
        isFilterable
        csv="/api/live/events?format=csv"
        tools={<Older asked={asked} />}
        maxHeight={520}
        empty={<Empty title="Nothing has happened yet">Every step of a trade and every finding stands here.</Empty>}
      />
    </Panel>
  );
}

type Told = Schema<'RiskHistoryRow'>;

const OUTCOMES: Record<Told['outcome'], Tone> = {
  accepted: 'good',
  refused: 'degraded',
  unanswered: 'degraded',
  info: 'neutral',
  warning: 'degraded',
  critical: 'danger',
};

const TOLD_COLUMNS: readonly Column<Told>[] = [
  { id: 'time', title: 'When', cell: (row) => <Ago ms={row.time_ms} />, value: (row) => row.time_ms },
  { id: 'what', title: 'What', cell: (row) => spoken(row.what), value: (row) => spoken(row.what) },
  {
    id: 'outcome',
    title: 'Outcome',
    cell: (row) => <Mark tone={OUTCOMES[row.outcome]}>{row.outcome}</Mark>,
    value: (row) => row.outcome,
  },
  { id: 'words', title: 'In words', isWide: true, cell: (row) => row.words, value: (row) => row.words },
  {
    id: 'reason',
    title: 'Who and why',
    cell: (row) => (row.reason === '' ? row.who : `${row.who}: ${row.reason}`),
    value: (row) => `${row.who} ${row.reason}`,
  },
  {
    id: 'arguments',
    title: 'With',
    isForWideScreens: true,
    cell: (row) => detailOf(row.arguments),
    value: (row) => detailOf(row.arguments),
  },
];

export function Commands() {
  const asked = useQuery(askRiskHistory);
  return (
    <Panel title="Commands and alarms" note="as far back as the gateway remembers" asked={asked} lines={8}>
      <DataTable
        label="Commands and alarms"
        columns={TOLD_COLUMNS}
        rows={asked.data?.rows ?? []}
        keyOf={(row) => `${row.time_ms} ${row.what} ${row.who} ${row.words}`}
        isFilterable
        csv="/api/risk/history?format=csv"
        maxHeight={520}
        empty={<Empty title="Nobody has told it anything">Commands and the guard’s alarms stand here.</Empty>}
      />
    </Panel>
  );
}
