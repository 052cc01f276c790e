/** `/paper`: what the strategies have made on paper. `/paper-v52` is the same with a strategy. */
import { SegmentedControl } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useMemo, useState } from 'react';
import { askPaperSummary } from '@/api/queries.ts';
import { beginningOf, SPAN_NAMES, useFilter } from '@/trading/filters.ts';
import layout from '@/trading/Layout.module.css';
import { PaperOpen } from '@/trading/PaperOpen.tsx';
import { ProfitPanel } from '@/trading/ProfitPanel.tsx';
import { useRefresh } from '@/trading/refreshing.ts';
import { Accounts } from './Accounts.tsx';
import { Equity } from './Equity.tsx';
import classes from './Paper.module.css';
import { Statistics } from './Statistics.tsx';
import { PaperTrades } from './Trades.tsx';

const ALL = 'all';

export default function Paper() {
  const [strategy, setStrategy] = useFilter('strategy');
  const [span, setSpan] = useFilter('span', SPAN_NAMES);
  const [openedAt] = useState(Date.now);
  const { data } = useQuery(askPaperSummary);
  useRefresh({ channel: 'paper' }, 'paper');
  const names = [
    ...new Set([...(data?.accounts.map((row) => row.strategy) ?? []), ...(strategy === null ? [] : [strategy])]),
  ];
  const narrowed = useMemo(() => ({ strategy, from: beginningOf(span, openedAt) }), [strategy, span, openedAt]);
  return (
    <div className={classes.page}>
      <div className={`${layout.bar} ${classes.wide}`}>
        <SegmentedControl
          size="xs"
          aria-label="Strategy"
          value={strategy ?? ALL}
          onChange={(value) => setStrategy(value === ALL ? null : value)}
          data={[{ value: ALL, label: 'All strategies' }, ...names.sort().map((value) => ({ value, label: value }))]}
        />
        <SegmentedControl
          size="xs"
          aria-label="Since"
          value={span ?? ALL}
          onChange={(value) => setSpan(value === ALL ? null : value)}
          data={[...SPAN_NAMES.map((value) => ({ value, label: value })), { value: ALL, label: 'ever' }]}
        />
      </div>
      <Accounts strategy={strategy} className={classes.wide} />
      <PaperOpen strategy={strategy} className={classes.wide} />
      <Equity narrowed={narrowed} />
      <Statistics narrowed={narrowed} />
      <PaperTrades narrowed={narrowed} className={classes.wide} />
      <ProfitPanel books="paper" strategy={strategy} from={narrowed.from} className={classes.wide} />
    </div>
  );
}
