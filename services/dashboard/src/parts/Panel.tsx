/** A panel: title, what can be done, and a body that says by itself whether it is loading, broken or old. */
import type { ReactNode } from 'react';
import { sentenceOf } from '@/api/problem.ts';
import { useIsLive, useStreamState } from '@/stream/hooks.ts';
import { Ago } from './Ago.tsx';
import classes from './Panel.module.css';
import { Failed, Waiting } from './States.tsx';

/** As much of a query as a panel looks at. */
export interface Asked {
  isPending: boolean;
  error: unknown;
  dataUpdatedAt: number;
  refetch: () => unknown;
}

interface PanelProps {
  title: string;
  note?: ReactNode;
  actions?: ReactNode;
  children: ReactNode;
  /** Distance to the border; tables and charts have none. */
  isPadded?: boolean;
  /** Its figures come over the stream: without it they are old. */
  isLive?: boolean;
  /** Its figures were asked for: the panel says how that went. */
  asked?: Asked;
  /** Skeleton lines until the first answer. */
  lines?: number;
  className?: string | undefined;
}

function Since({ ms }: { ms: number }) {
  return (
    <span className={classes.since} role="status">
      ▲ last heard <Ago ms={ms} />
    </span>
  );
}

/** Whether live figures are old, and since when. */
function useStale(isLive: boolean): number | null {
  const isFresh = useIsLive();
  const state = useStreamState();
  if (!isLive || isFresh || state.kind === 'off' || state.kind === 'connecting') return null;
  return state.since;
}

function Body({ asked, lines, children }: Pick<PanelProps, 'asked' | 'lines' | 'children'>) {
  if (asked === undefined) return children;
  if (asked.isPending) return <Waiting lines={lines ?? 4} />;
  if (asked.error !== null && asked.dataUpdatedAt === 0) return <Failed error={asked.error} retry={asked.refetch} />;
  return children;
}

export function Panel({
  title,
  note,
  actions,
  children,
  isPadded,
  isLive = false,
  asked,
  lines,
  className,
}: PanelProps) {
  const since = useStale(isLive);
  // What was known before the failure stays, dimmed.
  const isOld = asked !== undefined && asked.error !== null && asked.dataUpdatedAt > 0;
  const look = [classes.body, isPadded ? classes.padded : '', since !== null || isOld ? classes.stale : ''].join(' ');
  return (
    <section className={`${classes.panel} ${className ?? ''}`} aria-label={title}>
      <header className={classes.head}>
        <h2 className={classes.title}>{title}</h2>
        {note !== undefined && <span className={classes.note}>{note}</span>}
        {since !== null && <Since ms={since} />}
        {isOld && (
          <span className={classes.since} role="status" title={sentenceOf(asked.error)}>
            ▲ as of <Ago ms={asked.dataUpdatedAt} />
          </span>
        )}
        {actions !== undefined && <div className={classes.actions}>{actions}</div>}
      </header>
      <div className={look}>
        <Body asked={asked} lines={lines}>
          {children}
        </Body>
      </div>
    </section>
  );
}
