/** `/dashboard`, the trader's desk: am I safe, what is held, how does the day stand, and what comes near a signal. */
import { useQuery } from '@tanstack/react-query';
import { Link } from 'react-router';
import { askLiveSummary } from '@/api/queries.ts';
import { useDay, useMode, useRiskWord } from '@/app/desk.ts';
import { Ago } from '@/parts/Ago.tsx';
import { Change } from '@/parts/Figures.tsx';
import { Mark, type Tone } from '@/parts/Mark.tsx';
import { Panel } from '@/parts/Panel.tsx';
import { Empty, Waiting } from '@/parts/States.tsx';
import { useIsTold, useRecent } from '@/stream/hooks.ts';
import layout from '@/trading/Layout.module.css';
import { useUnrealised } from '@/trading/livePositions.ts';
import { Measures } from '@/trading/Measures.tsx';
import { spoken } from '@/trading/names.ts';
import { PaperOpen, useMadeOnPaper } from '@/trading/PaperOpen.tsx';
import { PositionsPanel } from '@/trading/PositionsPanel.tsx';
import { useRefresh } from '@/trading/refreshing.ts';
import { useRisk } from '@/trading/risk.ts';
import { Stats } from '@/trading/Stats.tsx';
import classes from './Desk.module.css';
import { Scores } from './Scores.tsx';

function Day() {
  const asked = useQuery(askLiveSummary);
  const day = useDay();
  const mode = useMode();
  const unrealised = useUnrealised();
  const onPaper = useMadeOnPaper(day.isPaper === true);
  return (
    <Panel title={day.isPaper ? 'Today on paper' : 'Today'} note={mode ?? undefined} asked={asked} isLive lines={2}>
      <Stats
        stats={[
          { name: 'Net', value: <Change value={day.quote} decimals={2} unit="USDT" />, note: 'closed trades, UTC day' },
          { name: 'Net', value: <Change value={day.r} decimals={2} unit="R" /> },
          {
            name: 'Open',
            value: day.open ?? '–',
            note: <Link to={day.isPaper ? '/paper' : '/live'}>look at them</Link>,
          },
          day.isPaper === true
            ? {
                name: 'Made by open trades',
                value: <Change value={onPaper.quote} decimals={2} unit="USDT" />,
                note: <Change value={onPaper.r} decimals={2} unit="R" />,
                title: 'What they have realised by parts, and what the rest is worth at the last trade',
              }
            : {
                name: 'Unrealised',
                value: <Change value={day.isPaper === null ? null : unrealised} decimals={2} unit="USDT" />,
                note: 'at mark prices',
              },
        ].map((stat, index) => ({ ...stat, name: index === 1 ? 'In R' : stat.name }))}
      />
    </Panel>
  );
}

const GRAVEST = 6;

function Safety() {
  const word = useRiskWord();
  const { asked, risk } = useRisk();
  return (
    <Panel
      title="Am I safe"
      asked={asked}
      isLive
      lines={6}
      actions={word !== null && <Mark tone={word.tone}>{spoken(word.word)}</Mark>}
    >
      {word !== null && word.tone !== 'good' && (
        <ul className={layout.reasons}>
          <li>{word.sentence}</li>
        </ul>
      )}
      {risk === null || risk.measures.length === 0 ? (
        <Empty title="No rule is measured">
          The guard tells what each of its rules sees while it guards an account.
        </Empty>
      ) : (
        <Measures measures={risk.measures} most={GRAVEST} />
      )}
    </Panel>
  );
}

const SEVERITIES: Record<string, Tone> = { critical: 'danger', warning: 'degraded', info: 'neutral' };
const SHOWN = 30;
const ALERTS = { channel: 'alerts' } as const;

function Alerts() {
  const alerts = useRecent(ALERTS);
  const isTold = useIsTold(ALERTS);
  const newest = [...alerts].reverse().slice(0, SHOWN);
  return (
    <Panel title="Alerts" isLive>
      {!isTold ? (
        <Waiting lines={3} />
      ) : newest.length === 0 ? (
        <Empty title="No alert">Guard, executor, feeds and services raise them; the last ones stand here.</Empty>
      ) : (
        <ol className={classes.alerts}>
          {newest.map((alert) => (
            <li key={alert.event_id} className={classes.alert}>
              <div className={classes.line}>
                <Mark tone={SEVERITIES[alert.severity] ?? 'neutral'}>{alert.severity}</Mark>
                <strong>{alert.title}</strong>
                <span className={classes.end}>
                  <Ago ms={alert.event_time_ms} />
                </span>
              </div>
              <p>{alert.detail}</p>
            </li>
          ))}
        </ol>
      )}
    </Panel>
  );
}

export default function Desk() {
  const day = useDay();
  useRefresh({ channel: 'paper' }, 'paper');
  useRefresh({ channel: 'live' }, 'live');
  return (
    <div className={classes.page}>
      <div className={classes.column}>
        <Scores />
        {day.isPaper ? <PaperOpen strategy={null} /> : <PositionsPanel />}
      </div>
      <div className={classes.column}>
        <Day />
        <Safety />
        <Alerts />
      </div>
    </div>
  );
}
