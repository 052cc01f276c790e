/** Whether each feed delivers, how late, and whether everything is there; the server's page says more. */
import { Link } from 'react-router';
import { FEED_COLUMNS, FeedTable } from '@/feeds/feeds.tsx';
import { useFeeds } from '@/feeds/rows.ts';
import { Panel } from '@/parts/Panel.tsx';
import classes from './Home.module.css';

const SHOWN = new Set(['feed', 'symbol', 'state', 'events_per_second', 'delay_ms', 'hour', 'gaps_open', 'last']);
const COLUMNS = FEED_COLUMNS.filter(({ id }) => SHOWN.has(id));

export function FeedHealth() {
  const { asked, rows } = useFeeds();
  return (
    <Panel title="Feeds" asked={asked} isLive className={classes.feeds} actions={<Link to="/server">All figures</Link>}>
      <FeedTable rows={rows} columns={COLUMNS} maxHeight={260} />
    </Panel>
  );
}
