/** The bar that is always there: am I connected, is it all, am I safe, how does the day stand, whose money is it. */
import { ActionIcon } from '@mantine/core';
import { Search } from 'lucide-react';
import { lazy, type ReactNode } from 'react';
import { Link } from 'react-router';
import { useNow } from '@/format/now.ts';
import { completeness } from '@/format/numbers.ts';
import { clock, exact, relative } from '@/format/time.ts';
import { Change } from '@/parts/Figures.tsx';
import { Mark, type Tone } from '@/parts/Mark.tsx';
import { usePreferences } from '@/preferences/preferences.ts';
import { useSession } from '@/session/session.ts';
import { useFreshness, useOne, useStreamState } from '@/stream/hooks.ts';
import { type Mode, useCompleteness, useDay, useIsOld, useMode, useRiskWord, useVenueClock } from './desk.ts';
import classes from './Frame.module.css';
import { PersonButton } from './PersonButton.tsx';
import { openPalette } from './shortcuts.ts';
import { WhenPressed } from './WhenPressed.tsx';

const PersonMenu = lazy(() => import('./PersonMenu.tsx'));

const MODES: Record<Mode, [Tone, string]> = {
  simulator: ['neutral', 'a simulated exchange: no money is moved'],
  paper: ['accent', 'the real market, on paper: no money is moved'],
  demo: ['accent', 'the exchange’s demonstration account'],
  production: ['production', 'real money'],
};

function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <span className={classes.fact}>
      <span className={classes.factName}>{name}</span>
      {children}
    </span>
  );
}

/** For how long, in one unit; it is not read out each second. */
function For({ since }: { since: number }) {
  const now = useNow();
  const { zone } = usePreferences();
  return (
    <time dateTime={new Date(since).toISOString()} title={`last heard ${exact(since, zone)}`}>
      {' '}
      {relative(since, now).replace(/ ago$/, '')}
    </time>
  );
}

function Connection() {
  const state = useStreamState();
  const { isFresh, since } = useFreshness();
  const kafka = useOne({ channel: 'status' }, 'kafka');
  let tone: Tone = 'degraded';
  let word = 'connecting';
  let sentence = 'waiting for the gateway';
  if (state.kind === 'live' && isFresh) {
    [tone, word, sentence] = ['good', 'live', 'everything comes as it happens'];
  } else if (state.kind === 'live' && kafka?.following === false) {
    [word, sentence] = ['no news', kafka.detail || 'the gateway does not hear Kafka'];
  } else if (state.kind === 'live') {
    [word, sentence] = ['quiet', 'the gateway says nothing, not even when it is asked'];
  } else if (state.kind === 'lost') {
    [tone, word, sentence] = ['danger', 'lost', `${state.why}; it comes back by itself`];
  } else if (state.kind === 'off') {
    [tone, word, sentence] = ['neutral', 'off', state.why ?? 'nobody is signed in'];
  }
  // Its width is that of the longest words: what stands beside it does not move.
  return (
    <span className={classes.connection}>
      <Mark tone={tone} title={sentence}>
        <output aria-live="polite">{word}</output>
        {since !== null && <For since={since} />}
      </Mark>
    </span>
  );
}

function VenueClock() {
  const now = useNow();
  const { ahead, offset } = useVenueClock();
  const words =
    offset === null
      ? 'the venue’s clock, by this machine’s: its distance is not known'
      : `the venue’s clock; the gateway’s is ${Math.abs(offset).toFixed(0)} ms ${offset < 0 ? 'behind' : 'ahead'}`;
  return (
    <span className={classes.fact} title={words}>
      <time>{clock(now - ahead)}</time>
      <span className={classes.factName}>
        UTC{offset !== null && ` ${offset < 0 ? '−' : '+'}${(Math.abs(offset) / 1000).toFixed(2)} s`}
      </span>
    </span>
  );
}

function Complete() {
  const { ppm, troubled } = useCompleteness();
  const isWhole = ppm !== null && ppm >= 1_000_000;
  return (
    <Fact name="data">
      <span title="Trades of the last hour that are here, of the worst symbol">{completeness(ppm)}</span>
      {(troubled.length > 0 || (ppm !== null && !isWhole)) && (
        <Mark tone="degraded" title={troubled.join('\n') || 'trades are missing'}>
          {troubled.length > 0 ? `${troubled.length} feeds` : 'holes'}
        </Mark>
      )}
    </Fact>
  );
}

function Desk() {
  const day = useDay();
  const risk = useRiskWord();
  return (
    <>
      <Fact name="risk">
        {risk === null ? (
          '–'
        ) : (
          <Mark tone={risk.tone} title={risk.sentence}>
            {risk.word.replace('_', ' ')}
          </Mark>
        )}
      </Fact>
      <Fact name={day.isPaper ? 'paper today' : 'today'}>
        <Change value={day.r} decimals={2} unit="R" />
        <span className={classes.roomy}>
          <Change value={day.quote} decimals={2} unit="USDT" />
        </span>
      </Fact>
      <Fact name="open">
        <span>
          <span className={classes.small}>open </span>
          {day.open ?? '–'}
        </span>
      </Fact>
    </>
  );
}

function Person() {
  const session = useSession();
  if (session.kind === 'out') return <Link to="/login">Log in</Link>;
  if (session.kind !== 'in') return null;
  const { me } = session;
  return (
    <WhenPressed button={(press) => <PersonButton me={me} onClick={press} />} menu={() => <PersonMenu me={me} />} />
  );
}

function ModeMark() {
  const mode = useMode();
  if (mode === null) return <Mark tone="neutral">–</Mark>;
  const [tone, sentence] = MODES[mode];
  return (
    <Mark tone={tone} title={sentence}>
      {mode.toUpperCase()}
    </Mark>
  );
}

/** Figures that are old are dimmed; since when, the connection says. */
function Facts() {
  const look = useIsOld() ? classes.old : '';
  return (
    <div className={classes.facts}>
      <VenueClock />
      <span className={`${classes.told} ${look}`}>
        <Complete />
        <Desk />
      </span>
    </div>
  );
}

export function TopBar() {
  const session = useSession();
  const isIn = session.kind === 'in';
  return (
    <header className={classes.top}>
      <Link to="/" className={classes.brand} aria-label="Perpstream, to the market">
        <img src="/favicon.svg" width={20} height={20} alt="" />
        <span className={classes.minor}>Perpstream</span>
      </Link>
      {isIn && (
        <>
          <Connection />
          <Facts />
        </>
      )}
      <span className={classes.end}>
        {isIn && session.me.is_local_viewer && (
          <span className={`${classes.factName} ${classes.minor}`}>demonstration, signed in as local viewer</span>
        )}
        {isIn && <ModeMark />}
        <ActionIcon variant="subtle" color="gray" aria-label="Search everything, Ctrl K" onClick={openPalette}>
          <Search size={17} aria-hidden="true" />
        </ActionIcon>
        <Person />
      </span>
    </header>
  );
}
