/** A panel: title, what can be done, and a body that says by itself whether it is loading, broken or old. */
import type { ReactNode } from 'react';
import { sentenceOf } from '@/api/problem.ts';
import { useFreshness } from '@/stream/hooks.ts';
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

/** What is said of figures that are old. */
interface Age {
  words: string;
  /** Null: nothing has ever come. */
  since: number | null;
  why?: string;
}

function useAge(isLive: boolean, asked: Asked | undefined): Age | null {
  const { isFresh, since } = useFreshness();
  if (isLive && !isFresh) return { words: since === null ? 'nothing heard yet' : 'last heard', since };
  // What was known before the failure stays, dimmed.
  const isOld = asked !== undefined && asked.error !== null && asked.dataUpdatedAt > 0;
  return isOld ? { words: 'as of', since: asked.dataUpdatedAt, why: sentenceOf(asked.error) } : null;
}

/** Only the words are read out, and not each second that passes. */
function Since({ age }: { age: Age }) {
  return (
    <span className={classes.since} title={age.why}>
      <span role="status">▲ {age.words}</span> {age.since !== null && <Ago ms={age.since} />}
    </span>
  );
}

/** The note, or since when the figures are old: in one place that is always there, so that nothing moves. */
function Words({ note, age }: { note: ReactNode; age: Age | null }) {
  return (
    <span className={classes.words}>
      {note !== undefined && <span className={`${classes.note} ${age === null ? '' : classes.behind}`}>{note}</span>}
      {age !== null && <Since age={age} />}
    </span>
  );
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
  const age = useAge(isLive, asked);
  const look = [classes.body, isPadded ? classes.padded : '', age === null ? '' : classes.stale].join(' ');
  return (
    <section className={`${classes.panel} ${className ?? ''}`} aria-label={title}>
      <header className={classes.head}>
        <h2 className={classes.title}>{title}</h2>
        <Words note={note} age={age} />
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
