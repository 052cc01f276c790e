/** The chart with its time frames, and what is drawn on it: signals, trades, open levels, holes. */
import { lazy, Suspense, useCallback, useEffect, useMemo, useState } from 'react';
import { isTyping } from '@/app/shortcuts.ts';
import { Panel } from '@/parts/Panel.tsx';
import { PartialMinute } from '@/parts/PartialMinute.tsx';
import { Waiting } from '@/parts/States.tsx';
import { type Bar, INTERVALS, type Interval, LENGTH } from './bars.ts';
import type { Span } from './CandleChart.tsx';
import classes from './Chart.module.css';
import type { Level } from './picture.ts';
import { isSameStretches } from './stretches.ts';
import { type UsedCandles, useCandles } from './useCandles.ts';
import { useDrawn, useLevels } from './useDrawn.ts';

const CandleChart = lazy(() => import('./CandleChart.tsx'));
/** Candles that are looked at before the chart has said which. */
const FIRST_SEEN = 120;
const NO_LEVELS: readonly Level[] = [];
/** One key each, in their order. */
const KEYS = ['1', '2', '3', '4', '5', '6', '7', '8', '9', '0', '-'];

export function useIntervalKeys(choose: (interval: Interval) => void): void {
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
      const interval = INTERVALS[KEYS.indexOf(event.key)];
      if (interval !== undefined) choose(interval);
    };
    window.addEventListener('keydown', onKey);
    return () => window.removeEventListener('keydown', onKey);
  }, [choose]);
}

export function Intervals({ chosen, onChoose }: { chosen: Interval; onChoose: (interval: Interval) => void }) {
  return (
    <fieldset className={classes.intervals} aria-label="Time frame">
      {INTERVALS.map((interval, index) => (
        <button
          type="button"
          key={interval}
          className={classes.interval}
          aria-pressed={interval === chosen}
          title={`Key ${KEYS[index]}`}
          onClick={() => onChoose(interval)}
        >
          {interval}
        </button>
      ))}
    </fieldset>
  );
}

/** An instant in the past: so many candles after it are shown, if so many have been. */
const AFTER = 240;

/** Where a chart around an instant ends; null: that is not over yet, so it is the live one. */
export function endOf(around: number | undefined, length: number, now: number): number | null {
  if (around === undefined) return null;
  const end = (Math.floor(around / length) + AFTER) * length;
  return end < now ? end : null;
}

const KEY = (
  <span className={classes.key} title="Filled: emitted, with its score; hollow: refused, from 1m on the newest only">
    <span>▲ emitted △ refused</span>
    <span>─ trade</span>
    <span>▨ silent or missing</span>
  </span>
);

/** The candles as a panel sees a question: what was known stays while it fails. */
function askedOf({ error, answeredAt, refresh }: UsedCandles<Bar>) {
  return { isPending: false, error, dataUpdatedAt: answeredAt, refetch: refresh };
}

/** What one looks at, as far as it matters for what is asked: by whole stretches of candles. */
function useSeen(length: number, around: number | undefined): [Span, (span: Span) => void] {
  const [seen, setSeen] = useState<{ length: number; span: Span } | null>(null);
  const see = useCallback(
    (span: Span) =>
      setSeen((before) => {
        const isSame = before?.length === length && isSameStretches(before.span, span, length);
        return isSame ? before : { length, span };
      }),
    [length],
  );
  const first = useMemo(() => {
    const to = around === undefined ? Date.now() : around + FIRST_SEEN * length;
    return { from: (around ?? to) - FIRST_SEEN * length, to };
  }, [length, around]);
  return [seen?.length === length ? seen.span : first, see];
}

interface ChartPanelProps {
  symbol: string;
  className?: string;
  /** An instant that stands in the middle, for what happened then. */
  around?: number;
}

export function ChartPanel({ symbol, className, around }: ChartPanelProps) {
  const [interval, setInterval] = useState<Interval>('1m');
  const [isNow, setNow] = useState(around === undefined);
  useIntervalKeys(setInterval);
  const length = LENGTH[interval];
  const wanted = isNow ? undefined : around;
  const end = useMemo(() => endOf(wanted, length, Date.now()), [wanted, length]);
  const candles = useCandles(symbol, interval, end ?? undefined);
  const [seen, see] = useSeen(length, wanted);
  const drawn = useDrawn(symbol, interval, seen);
  const levels = useLevels(symbol);
  return (
    <Panel
      title={symbol}
      note={
        <>
          {KEY} {end === null && <PartialMinute symbol={symbol} />}
        </>
      }
      isLive={end === null}
      asked={askedOf(candles)}
      className={className}
      actions={
        <>
          {around !== undefined && (
            <button type="button" className={classes.interval} aria-pressed={isNow} onClick={() => setNow(!isNow)}>
              {isNow ? 'then' : 'now'}
            </button>
          )}
          <Intervals chosen={interval} onChoose={setInterval} />
        </>
      }
    >
      <Suspense fallback={<Waiting lines={8} height={30} />}>
        <CandleChart
          key={String(wanted)}
          symbol={symbol}
          interval={interval}
          candles={candles}
          drawn={drawn}
          levels={end === null ? levels : NO_LEVELS}
          onSeen={see}
          around={wanted}
          isPast={end !== null}
        />
      </Suspense>
    </Panel>
  );
}
