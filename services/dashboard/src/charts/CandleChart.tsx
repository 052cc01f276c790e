/** A live chart of one symbol: zoom and pan stay when data comes; history loads as one goes left. */
import { useEffect, useRef, useState } from 'react';
import { useNow } from '@/format/now.ts';
import { decimalsOf, fixed } from '@/format/numbers.ts';
import { moment, type Zone, zoneName } from '@/format/time.ts';
import { Waiting } from '@/parts/States.tsx';
import { usePreferences } from '@/preferences/preferences.ts';
import { type Bar, type Interval, LENGTH } from './bars.ts';
import classes from './Chart.module.css';
import type { Drawn } from './overlay.ts';
import { onPalette } from './palette.ts';
import { type Level, Picture, type PointedAt } from './picture.ts';
import { marketNow } from './places.ts';
import { type Fact, factsOf, happeningsAt, type Writing } from './pointed.ts';
import type { UsedCandles } from './useCandles.ts';

/** So many candles from the left edge, more are asked for. */
const NEAR_THE_EDGE = 60;
/** On each side of an instant that is shown. */
const AROUND = 60;

export interface Span {
  from: number;
  to: number;
}

interface CandleChartProps {
  symbol: string;
  interval: Interval;
  candles: UsedCandles<Bar>;
  drawn: Drawn;
  levels: readonly Level[];
  /** Told what is looked at, so that signals and trades of that time can be asked for. */
  onSeen: (span: Span) => void;
  /** Shown in the middle at first; without one, the newest candles. */
  around?: number | undefined;
  /** It ends in the past: after it nothing is silent, and nothing moves. */
  isPast: boolean;
}

function Facts({ facts }: { facts: readonly Fact[] }) {
  return (
    <dl className={classes.facts}>
      {facts.map(([name, text]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{text}</dd>
        </div>
      ))}
    </dl>
  );
}

function Legend({ newest, writing, note }: { newest: PointedAt | null; writing: Writing; note: string | null }) {
  const { zone } = writing;
  const facts = newest === null ? [] : factsOf(newest, writing);
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable with the keyboard
    <section className={classes.legend} aria-label="The newest candle" tabIndex={0}>
      <Facts facts={[[zoneName(zone), moment(newest?.time, zone)], ...facts]} />
      {note !== null && <span className={classes.note}>{note}</span>}
    </section>
  );
}

interface BoxProps {
  pointed: PointedAt;
  writing: Writing;
  drawn: Drawn;
  side: 'left' | 'right';
}

/** Everything at the time under the pointer, in one box. */
function Box({ pointed, writing, drawn, side }: BoxProps) {
  const { zone, length } = writing;
  return (
    <div className={classes.box} data-side={side} aria-hidden="true">
      <strong>
        {moment(pointed.time, zone)} {zoneName(zone)}
      </strong>
      {pointed.bar === null ? <span>no candle</span> : <Facts facts={factsOf(pointed, writing)} />}
      {happeningsAt(pointed.time, drawn, length).map(({ id, tone, text }) => (
        <span key={id} data-tone={tone}>
          {text}
        </span>
      ))}
    </div>
  );
}

/** Decimals of the symbol's tick, as its prices are written. */
function tickDecimals(bars: readonly Bar[]): number {
  return Math.max(0, ...bars.slice(-50).map((bar) => decimalsOf(String(bar.close))));
}

interface Held {
  element: React.RefObject<HTMLElement | null>;
  picture: Picture | null;
  pointed: PointedAt | null;
  /** Whether the pointer is in the left half: the box stands in the other one. */
  isLeft: boolean;
}

/** The picture in its element, for as long as the component is there. */
function usePicture(older: () => void, onSeen: (span: Span) => void): Held {
  const element = useRef<HTMLElement>(null);
  const [picture, setPicture] = useState<Picture | null>(null);
  const [pointed, setPointed] = useState<PointedAt | null>(null);
  const [isLeft, setLeft] = useState(false);
  const telling = useRef({ older, onSeen });
  telling.current = { older, onSeen };
  useEffect(() => {
    if (element.current === null) return;
    const made = new Picture(element.current);
    const scale = made.chart.timeScale();
    made.chart.subscribeCrosshairMove((event) => {
      setPointed(made.pointedAt(event));
      setLeft((event.point?.x ?? 0) < scale.width() / 2);
    });
    scale.subscribeVisibleLogicalRangeChange((range) => {
      if (range !== null && range.from < NEAR_THE_EDGE) telling.current.older();
      const seen = scale.getVisibleRange();
      if (seen !== null) telling.current.onSeen({ from: Number(seen.from) * 1_000, to: Number(seen.to) * 1_000 });
    });
    const forget = onPalette(() => made.recolour());
    setPicture(made);
    return () => {
      forget();
      setPicture(null);
      made.close();
    };
  }, []);
  return { element, picture, pointed, isLeft };
}

/** By how much the market's time is behind our clock at least, as far as its candles have told. */
function useUntil(last: number | undefined, isPast: boolean): number | null {
  const now = useNow();
  const least = useRef<number | null>(null);
  if (last === undefined || isPast) return null;
  least.current = Math.min(least.current ?? Number.POSITIVE_INFINITY, now - last);
  return marketNow(now, last, least.current);
}

interface Shown {
  decimals: number;
  newest: PointedAt | null;
}

function useDrawing(picture: Picture | null, props: CandleChartProps, zone: Zone): Shown {
  const { interval, candles, drawn, levels, around } = props;
  const { bars } = candles;
  const decimals = tickDecimals(bars);
  const until = useUntil(bars.at(-1)?.time, props.isPast);
  useEffect(() => picture?.format(decimals, LENGTH[interval], zone), [picture, decimals, interval, zone]);
  const [newest, setNewest] = useState<PointedAt | null>(null);
  useEffect(() => {
    picture?.show(bars);
    setNewest(picture?.newest() ?? null);
  }, [picture, bars]);
  useEffect(() => picture?.over(drawn), [picture, drawn]);
  useEffect(() => picture?.levels(levels), [picture, levels]);
  useEffect(() => picture?.until(until), [picture, until]);
  const isThere = bars.length > 0;
  // biome-ignore lint/correctness/useExhaustiveDependencies: once for each time frame, as soon as there are candles
  useEffect(() => {
    if (around !== undefined && isThere) picture?.centre(around, AROUND);
  }, [picture, around, interval, isThere]);
  return { decimals, newest };
}

export default function CandleChart(props: CandleChartProps) {
  const { symbol, interval, candles, drawn } = props;
  const { element, picture, pointed, isLeft } = usePicture(candles.older, props.onSeen);
  const { zone } = usePreferences();
  const { decimals, newest } = useDrawing(picture, props, zone);
  const last = candles.bars.at(-1);
  const writing = { decimals, length: LENGTH[interval], zone };
  const all = { ...drawn, holes: [...drawn.holes, ...(picture?.silences() ?? [])] };
  return (
    <div className={classes.frame}>
      <Legend
        newest={newest}
        writing={writing}
        note={candles.olderError === null ? null : '▲ older candles could not be loaded: drag again'}
      />
      <figure
        ref={element}
        className={classes.canvas}
        aria-label={`${symbol}, ${interval}: last ${fixed(last?.close, decimals)}`}
      />
      {pointed !== null && <Box pointed={pointed} writing={writing} drawn={all} side={isLeft ? 'right' : 'left'} />}
      {last === undefined && (
        <div className={classes.over}>
          {candles.isLoading ? <Waiting lines={6} height={28} /> : 'No trade has been recorded yet'}
        </div>
      )}
    </div>
  );
}
