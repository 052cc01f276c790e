/** `/signals`: every signal with its outcome, newest first; each opens its full explanation. `/signals-v52` is the same with a strategy. */
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { useMemo, useState } from 'react';
import { useNavigate } from 'react-router';
import { DataTable } from '@/parts/DataTable.tsx';
import { Panel } from '@/parts/Panel.tsx';
import { Empty } from '@/parts/States.tsx';
import { useRecent } from '@/stream/hooks.ts';
import { newestFirst } from '@/stream/merging.ts';
import { beginningOf } from '@/trading/filters.ts';
import type { Listed } from '@/trading/listed.ts';
import { Older } from '@/trading/Older.tsx';
import { useRefresh } from '@/trading/refreshing.ts';
import { askLiveOutcomes, askOutcomes, askSignalPages, parametersOf, type SignalFilters } from './asking.ts';
import { columnsOf } from './columns.tsx';
import { fits } from './narrowing.ts';
import { type Outcomes, outcomesOf } from './outcomes.ts';
import { SignalFilterBar, useSignalFilters } from './SignalFilters.tsx';
import classes from './Signals.module.css';

function useSignals(filters: SignalFilters) {
  const asked = useInfiniteQuery(askSignalPages(filters));
  const live = useRecent({ channel: 'signals' });
  const rows = useMemo(() => {
    const known: readonly Listed[] = asked.data?.pages.flatMap((page) => page.signals) ?? [];
    const told: readonly Listed[] = live.filter((signal) => fits(signal, filters));
    return newestFirst(known, told, Number.POSITIVE_INFINITY);
  }, [asked.data, live, filters]);
  return { asked, rows };
}

/** What became of each on paper and on accounts, by the signal's id. */
function useOutcomes(asked: ReturnType<typeof useSignals>['asked'], strategy: string | null): Outcomes {
  useRefresh({ channel: 'paper' }, 'paper');
  useRefresh({ channel: 'live' }, 'live');
  const paper = useQuery(askOutcomes(strategy)).data;
  const live = useQuery(askLiveOutcomes(strategy)).data;
  return useMemo(() => {
    const signals = asked.data?.pages.flatMap((page) => page.signals) ?? [];
    return outcomesOf({ signals, paper: paper?.rows ?? [], live: live?.rows ?? [] });
  }, [asked.data, paper, live]);
}

function csvOf(filters: SignalFilters): string {
  const words = Object.entries({ ...parametersOf(filters), format: 'csv' }).map(([name, value]) => [name, `${value}`]);
  return `/api/signals/history?${new URLSearchParams(words)}`;
}

export default function Signals() {
  const chosen = useSignalFilters();
  const { strategy, symbol, state, span } = chosen;
  const [openedAt] = useState(Date.now);
  const filters = useMemo(
    () => ({ strategy, symbol, state, from: beginningOf(span, openedAt) }),
    [strategy, symbol, state, span, openedAt],
  );
  const { asked, rows } = useSignals(filters);
  const outcomes = useOutcomes(asked, strategy);
  const columns = useMemo(() => columnsOf(outcomes), [outcomes]);
  const navigate = useNavigate();
  return (
    <div className={classes.page}>
      <SignalFilterBar filters={chosen} />
      <Panel title="Signals" asked={asked} isLive lines={12} className={classes.list}>
        <DataTable
          label="Signals"
          columns={columns}
          rows={rows}
          keyOf={(row) => row.event_id}
          onOpen={(row) => void navigate(`/signals/${row.event_id}`)}
          isFilterable
          csv={csvOf(filters)}
          tools={<Older asked={asked} />}
          empty={
            <Empty title="No signal fits">
              A strategy speaks when its score crosses its threshold; refused ones stand here too, with the reason.
              Widen the filters, or wait: scores of every symbol are on the desk.
            </Empty>
          }
        />
      </Panel>
    </div>
  );
}
