/** Signals as they come: one sentence each, which says why. */
import { SegmentedControl } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useMemo, useState } from 'react';
import { Link } from 'react-router';
import { askSignals } from '@/api/queries.ts';
import { fixed } from '@/format/numbers.ts';
import { Ago } from '@/parts/Ago.tsx';
import { Side } from '@/parts/Figures.tsx';
import { Mark } from '@/parts/Mark.tsx';
import { Panel } from '@/parts/Panel.tsx';
import { Empty } from '@/parts/States.tsx';
import { useRecent } from '@/stream/hooks.ts';
import { newestFirst } from '@/stream/merging.ts';
import type { Listed } from '@/trading/listed.ts';
import { spoken } from '@/trading/names.ts';
import classes from './Home.module.css';

const SHOWN = 30;

function useSignals() {
  const asked = useQuery(askSignals(SHOWN));
  const live = useRecent({ channel: 'signals' });
  const signals = useMemo(() => newestFirst<Listed>(asked.data?.signals ?? [], live, SHOWN), [asked.data, live]);
  return { asked, signals };
}

function Entry({ signal }: { signal: Listed }) {
  return (
    <li className={classes.signal} data-state={signal.state}>
      <div className={classes.signalHead}>
        <Side side={signal.direction} />
        <Link to={`/signals/${signal.event_id}`}>{signal.symbol}</Link>
        <span className={classes.dim}>{signal.strategy}</span>
        <span title={`${fixed(signal.threshold, 0)} needed`}>{fixed(signal.score, 1)}</span>
        {signal.state === 'refused' && <Mark tone="neutral">{spoken(signal.reason ?? 'refused')}</Mark>}
        <span className={`${classes.dim} ${classes.right}`} style={{ marginLeft: 'auto' }}>
          <Ago ms={signal.event_time_ms} />
        </span>
      </div>
      <p className={classes.sentence}>{signal.sentence}</p>
    </li>
  );
}

type Shown = 'all' | 'emitted';

export function SignalLog() {
  const { asked, signals } = useSignals();
  const [shown, setShown] = useState<Shown>('all');
  const fitting = shown === 'all' ? signals : signals.filter((signal) => signal.state === 'emitted');
  const choice = (
    <SegmentedControl
      size="xs"
      aria-label="Which signals"
      value={shown}
      onChange={(value) => setShown(value as Shown)}
      data={[
        { value: 'all', label: 'All' },
        { value: 'emitted', label: 'Emitted' },
      ]}
    />
  );
  return (
    <Panel title="Signals" asked={asked} isLive lines={8} className={classes.log} actions={choice}>
      {fitting.length === 0 ? (
        <Empty title="No signal yet">
          A strategy speaks when its score crosses its threshold; refused ones stand here too, with the reason.
        </Empty>
      ) : (
        <ol className={classes.signals}>
          {fitting.map((signal) => (
            <Entry key={signal.event_id} signal={signal} />
          ))}
        </ol>
      )}
    </Panel>
  );
}
