/** How the feeds are, as a table. */
import { completeness, fixed } from '@/format/numbers.ts';
import { duration } from '@/format/time.ts';
import { Ago } from '@/parts/Ago.tsx';
import { type Column, DataTable } from '@/parts/DataTable.tsx';
import { Mark, type Tone } from '@/parts/Mark.tsx';
import { Empty } from '@/parts/States.tsx';
import type { Feed } from './rows.ts';

const TONES: Record<string, Tone> = { live: 'good', starting: 'neutral', silent: 'degraded', stale: 'degraded' };

function Complete({ ppm }: { ppm: number | null }) {
  if (ppm === null || ppm >= 1_000_000) return <span>{completeness(ppm)}</span>;
  return <Mark tone="degraded">{completeness(ppm)}</Mark>;
}

function numeric(id: keyof Feed, title: string, decimals: number, unit?: string): Column<Feed> {
  const value = (feed: Feed) => {
    const found = feed[id];
    return typeof found === 'number' ? found : null;
  };
  const cell = (feed: Feed) => fixed(value(feed), decimals);
  return { id, title, isNumeric: true, cell, value, ...(unit === undefined ? {} : { unit }) };
}

export const FEED_COLUMNS: readonly Column<Feed>[] = [
  { id: 'feed', title: 'Feed', cell: ({ feed }) => feed.replaceAll('_', ' '), value: ({ feed }) => feed },
  { id: 'symbol', title: 'Symbol', cell: ({ symbol }) => symbol, value: ({ symbol }) => symbol },
  {
    id: 'state',
    title: 'State',
    cell: ({ state, detail }) => (
      <Mark tone={TONES[state] ?? 'danger'} title={detail || undefined}>
        {state}
      </Mark>
    ),
    value: ({ state }) => state,
  },
  {
    id: 'since',
    title: 'Since',
    cell: ({ since_ms }) => <Ago ms={since_ms} />,
    value: ({ since_ms }) => since_ms,
    isForWideScreens: true,
  },
  numeric('events_per_second', 'Events', 1, '/s'),
  {
    id: 'delay_ms',
    title: 'Delay',
    isNumeric: true,
    cell: ({ delay_ms }) => duration(delay_ms),
    value: ({ delay_ms }) => delay_ms,
  },
  {
    id: 'hour',
    title: 'Complete, 1 h',
    isNumeric: true,
    cell: ({ completeness_1h_ppm }) => <Complete ppm={completeness_1h_ppm} />,
    value: ({ completeness_1h_ppm }) => completeness_1h_ppm,
  },
  {
    id: 'day',
    title: 'Complete, 24 h',
    isNumeric: true,
    cell: ({ completeness_24h_ppm }) => <Complete ppm={completeness_24h_ppm} />,
    value: ({ completeness_24h_ppm }) => completeness_24h_ppm,
  },
  numeric('lost_24h', 'Lost, 24 h', 0),
  numeric('gaps_open', 'Gaps open', 0),
  numeric('gaps_filled', 'Gaps filled', 0),
  { ...numeric('clock_offset_ms', 'Clock', 0, 'ms'), isForWideScreens: true },
  {
    id: 'last',
    title: 'Last event',
    isNumeric: true,
    cell: ({ last_event_ms }) => <Ago ms={last_event_ms} />,
    value: ({ last_event_ms }) => last_event_ms,
  },
];

interface FeedTableProps {
  rows: readonly Feed[];
  columns?: readonly Column<Feed>[];
  isFilterable?: boolean;
  maxHeight: number;
}

export function FeedTable({ rows, columns = FEED_COLUMNS, isFilterable = false, maxHeight }: FeedTableProps) {
  return (
    <DataTable
      label="Feeds"
      columns={columns}
      rows={rows}
      keyOf={({ feed, symbol }) => `${feed}:${symbol}`}
      isFilterable={isFilterable}
      maxHeight={maxHeight}
      empty={<Empty title="No feed has reported yet">Each reports every ten seconds once it is started.</Empty>}
    />
  );
}
