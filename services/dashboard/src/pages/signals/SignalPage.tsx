/** `/signals/:id`: a signal explains itself: one sentence, what each factor gave, gates, inputs, and what became of it. */
import { useQuery } from '@tanstack/react-query';
import { useEffect } from 'react';
import { Link, useNavigate, useParams } from 'react-router';
import { Problem } from '@/api/problem.ts';
import { isTyping } from '@/app/shortcuts.ts';
import { ChartPanel } from '@/charts/ChartPanel.tsx';
import { fixed } from '@/format/numbers.ts';
import { zoneName } from '@/format/time.ts';
import { Ago, Moment } from '@/parts/Ago.tsx';
import { Side } from '@/parts/Figures.tsx';
import { Empty, Failed, Waiting } from '@/parts/States.tsx';
import { usePreferences } from '@/preferences/preferences.ts';
import { askStory, type Story } from './asking.ts';
import { OutcomeMark } from './columns.tsx';
import { Became } from './story/Became.tsx';
import { Behind } from './story/Behind.tsx';
import { Contributions } from './story/Contributions.tsx';
import { Gates } from './story/Gates.tsx';
import { Inputs } from './story/Inputs.tsx';
import classes from './story/Story.module.css';
import { contributionOf } from './story/waterfall.ts';

/** `[` and `]`: the signal before and after, of the same strategy and symbol. */
function useAround(story: Story | undefined): void {
  const navigate = useNavigate();
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
      const id = event.key === '[' ? story?.before_id : event.key === ']' ? story?.after_id : null;
      if (id !== null && id !== undefined) void navigate(`/signals/${id}`);
    };
    window.addEventListener('keydown', onKey);
    return () => window.removeEventListener('keydown', onKey);
  }, [story, navigate]);
}

function Around({ story }: { story: Story }) {
  return (
    <nav className={classes.around} aria-label="Signals around it">
      {story.before_id === null ? (
        <span className={classes.dim}>no earlier one</span>
      ) : (
        <Link to={`/signals/${story.before_id}`} aria-keyshortcuts="[">
          ← earlier
        </Link>
      )}
      {story.after_id === null ? (
        <span className={classes.dim}>no later one</span>
      ) : (
        <Link to={`/signals/${story.after_id}`} aria-keyshortcuts="]">
          later →
        </Link>
      )}
    </nav>
  );
}

function Head({ story }: { story: Story }) {
  const { gate, signal } = story;
  const { zone } = usePreferences();
  return (
    <header className={classes.head}>
      <div className={classes.facts}>
        <Side side={String(signal.direction)} />
        <span className={classes.symbol}>{story.symbol}</span>
        <span>
          {story.strategy} <span className={classes.dim}>version {story.version}</span>
        </span>
        <span>
          {fixed(gate.score, 1)} <span className={classes.dim}>of {fixed(gate.threshold, 0)} needed</span>
        </span>
        <OutcomeMark signal={{ state: gate.passed ? 'emitted' : 'refused', reason: gate.reason }} />
        <span className={classes.dim}>
          <Moment ms={story.event_time_ms} /> {zoneName(zone)}, <Ago ms={story.event_time_ms} />
        </span>
        <Around story={story} />
      </div>
      <p className={classes.sentence}>{story.sentence}</p>
    </header>
  );
}

export default function SignalPage() {
  const { signalId = '' } = useParams();
  const asked = useQuery(askStory(signalId));
  useAround(asked.data);
  if (asked.error instanceof Problem && asked.error.status === 404) {
    return (
      <Empty title="There is no such signal">
        {asked.error.message}. It may not have been recorded yet; <Link to="/signals">all signals</Link>.
      </Empty>
    );
  }
  if (asked.isPending) return <Waiting lines={10} height={22} />;
  if (asked.data === undefined) return <Failed error={asked.error} retry={() => void asked.refetch()} />;
  const story = asked.data;
  return (
    <div className={classes.page}>
      <Head story={story} />
      <Contributions parts={story.contributions.map(contributionOf)} threshold={story.gate.threshold} />
      <Gates story={story} />
      <Became story={story} />
      <Inputs story={story} />
      <ChartPanel
        key={story.event_id}
        symbol={story.symbol}
        around={story.event_time_ms}
        className={classes.chart ?? ''}
      />
      <Behind story={story} />
    </div>
  );
}
