/** Every feed of every symbol: does it deliver, how late, is everything there. */
import { FeedTable } from '@/feeds/feeds.tsx';
import { troubledOf, useFeeds } from '@/feeds/rows.ts';
import { Panel } from '@/parts/Panel.tsx';

export function Feeds() {
  const { asked, rows } = useFeeds();
  const troubled = troubledOf(rows);
  const note =
    troubled === 0 ? 'completeness: of the ids that the venue gives its trades' : `▲ ${troubled} do not deliver`;
  return (
    <Panel title="Feeds" asked={asked} isLive lines={8} note={note}>
      <FeedTable rows={rows} isFilterable maxHeight={360} />
    </Panel>
  );
}
