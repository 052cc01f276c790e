/** The chart with its time frames, and what is drawn on it: signals, paper trades, open levels, holes. */
import { useQuery } from '@tanstack/react-query';
import { lazy, Suspense, useEffect, useMemo, useState } from 'react';
import { api, bodyOf } from '@/api/client.ts';
import { isTyping } from '@/app/shortcuts.ts';
import { Panel } from '@/parts/Panel.tsx';
import { Waiting } from '@/parts/States.tsx';
import { useRecent } from '@/stream/hooks.ts';
import { newestFirst } from '@/stream/merging.ts';
import { INTERVALS, type Interval } from './bars.ts';
import classes from './Chart.module.css';
import { holesOf, levelsOf, type SignalWord, signalMarks, tradeLines } from './drawn.ts';

const CandleChart = lazy(() => import('./CandleChart.tsx'));
const MOST = 200;
const AGAIN_MS = 5_000;
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

/** All that is drawn on the candles of a symbol. */
function useDrawn(symbol: string) {
  const query = { symbol, limit: MOST };
  const signals = useQuery({
    queryKey: ['signals', 'of', symbol],
    queryFn: ({ signal }) => bodyOf(api.GET('/api/signals/history', { params: { query }, signal })),
  });
  const trades = useQuery({
    queryKey: ['paper', 'trades', 'of', symbol],
    queryFn: ({ signal }) => bodyOf(api.GET('/api/paper/trades', { params: { query }, signal })),
    refetchInterval: AGAIN_MS,
  });
  const gaps = useQuery({
    queryKey: ['gaps', 'of', symbol],
    queryFn: ({ signal }) => bodyOf(api.GET('/api/gaps', { params: { query }, signal })),
    refetchInterval: 6 * AGAIN_MS,
  });
  const live = useRecent({ channel: 'signals', symbols: [symbol] });
  return useMemo(() => {
    const known = newestFirst<SignalWord>(signals.data?.signals ?? [], live, MOST);
    return {
      signals: signalMarks(known),
      trades: tradeLines(trades.data?.rows ?? [], Date.now()),
      holes: holesOf(gaps.data?.gaps ?? []),
    };
  }, [signals.data, trades.data, gaps.data, live]);
}

function useLevels(symbol: string) {
  const positions = useQuery({
    queryKey: ['paper', 'positions'],
    queryFn: ({ signal }) => bodyOf(api.GET('/api/paper/positions', { signal })),
    refetchInterval: AGAIN_MS,
  });
  return useMemo(() => {
    const rows = (positions.data?.rows ?? []).filter((row) => row.symbol === symbol && row.state === 'open');
    return levelsOf(rows);
  }, [positions.data, symbol]);
}

interface ChartPanelProps {
  symbol: string;
  className?: string;
}

export function ChartPanel({ symbol, className }: ChartPanelProps) {
  const [interval, setInterval] = useState<Interval>('1m');
  useIntervalKeys(setInterval);
  const drawn = useDrawn(symbol);
  const levels = useLevels(symbol);
  const key = (
    <span className={classes.key} title="Filled: emitted, with its score; hollow: refused">
      <span>▲ emitted △ refused</span>
      <span>─ paper trade</span>
    </span>
  );
  return (
    <Panel
      title={symbol}
      note={key}
      isLive
      className={className}
      actions={<Intervals chosen={interval} onChoose={setInterval} />}
    >
      <Suspense fallback={<Waiting lines={8} height={30} />}>
        <CandleChart symbol={symbol} interval={interval} drawn={drawn} levels={levels} />
      </Suspense>
    </Panel>
  );
}
