/** Whether each feed delivers, how late, and whether everything is there. */
import { useQuery } from '@tanstack/react-query';
import type { Schema } from '@/api/client.ts';
import { askFeeds } from '@/api/queries.ts';
import { completeness, fixed } from '@/format/numbers.ts';
import { Ago } from '@/parts/Ago.tsx';
import { type Column, DataTable } from '@/parts/DataTable.tsx';
import { Mark, type Tone } from '@/parts/Mark.tsx';
import { Panel } from '@/parts/Panel.tsx';
import { Empty } from '@/parts/States.tsx';
import { useLatest } from '@/stream/hooks.ts';
import classes from './Home.module.css';

type Feed = Schema<'FeedAnswer'>;

const TONES: Record<string, Tone> = { live: 'good', starting: 'neutral', silent: 'degraded', stale: 'degraded' };

const COLUMNS: readonly Column<Feed>[] = [
  { id: 'feed', title: 'Feed', cell: (feed) => feed.feed, value: (feed) => feed.feed },
  { id: 'symbol', title: 'Symbol', cell: (feed) => feed.symbol, value: (feed) => feed.symbol },
  {
    id: 'state',
    title: 'State',
    cell: (feed) => (
      <Mark tone={TONES[feed.state] ?? 'danger'} title={feed.detail}>
        {feed.state}
      </Mark>
    ),
    value: (feed) => feed.state,
  },
  {
    id: 'rate',
    title: 'Events',
    unit: '/s',
    isNumeric: true,
    cell: (feed) => fixed(feed.events_per_second, 1),
    value: (feed) => feed.events_per_second,
  },
  {
    id: 'delay',
    title: 'Delay',
    unit: 'ms',
    isNumeric: true,
    cell: (feed) => fixed(feed.delay_ms, 0),
    value: (feed) => feed.delay_ms,
  },
  {
    id: 'hour',
    title: 'Complete, 1 h',
    isNumeric: true,
    cell: (feed) => completeness(feed.completeness_1h_ppm),
    value: (feed) => feed.completeness_1h_ppm,
  },
  {
    id: 'gaps',
    title: 'Gaps open',
    isNumeric: true,
    isForWideScreens: true,
    cell: (feed) => feed.gaps_open,
    value: (feed) => feed.gaps_open,
  },
  {
    id: 'last',
    title: 'Last event',
    isNumeric: true,
    cell: (feed) => <Ago ms={feed.last_event_ms} />,
    value: (feed) => feed.last_event_ms,
  },
];

/** REST has the completeness, the stream the newest state. */
function useFeeds() {
  const asked = useQuery(askFeeds);
  const live = useLatest({ channel: 'feeds' });
  const rows = (asked.data?.feeds ?? []).map((feed) => {
    const newer = live.get(`${feed.feed}:${feed.symbol}`);
    return newer !== undefined && newer.reported_ms > feed.reported_ms ? { ...feed, ...newer } : feed;
  });
  return { asked, rows };
}

export function FeedHealth() {
  const { asked, rows } = useFeeds();
  return (
    <Panel title="Feeds" asked={asked} isLive className={classes.feeds}>
      <DataTable
        label="Feeds"
        columns={COLUMNS}
        rows={rows}
        keyOf={(feed) => `${feed.feed}:${feed.symbol}`}
        maxHeight={260}
        empty={<Empty title="No feed has reported yet">Each reports every ten seconds once it is started.</Empty>}
      />
    </Panel>
  );
}
