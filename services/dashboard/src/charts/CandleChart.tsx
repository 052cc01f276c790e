/** A live chart of one symbol: zoom and pan stay when data comes; history loads as one goes left. */
import { useEffect, useRef, useState } from 'react';
import { decimalsOf, fixed, short, signed } from '@/format/numbers.ts';
import { moment } from '@/format/time.ts';
import { Failed, Waiting } from '@/parts/States.tsx';
import { type Bar, type Interval, LENGTH } from './bars.ts';
import classes from './Chart.module.css';
import type { Drawn } from './overlay.ts';
import { onPalette } from './palette.ts';
import { type Level, Picture } from './picture.ts';
import { type UsedCandles, useCandles } from './useCandles.ts';

/** So many candles from the left edge, more are asked for. */
const NEAR_THE_EDGE = 60;

interface CandleChartProps {
  symbol: string;
  interval: Interval;
  drawn: Drawn;
  levels: readonly Level[];
}

function Legend({ bar, decimals }: { bar: Bar | null; decimals: number }) {
  const facts: [string, string][] = [
    ['', moment(bar?.time)],
    ['O', fixed(bar?.open, decimals)],
    ['H', fixed(bar?.high, decimals)],
    ['L', fixed(bar?.low, decimals)],
    ['C', fixed(bar?.close, decimals)],
    ['volume', short(bar?.volume)],
    ['delta', signed(bar?.delta, 3)],
    ['VWAP', fixed(bar?.vwap, decimals)],
  ];
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable with the keyboard
    <section className={classes.legend} aria-label="The candle pointed at, or the newest" tabIndex={0}>
      <dl className={classes.facts}>
        {facts.map(([name, text]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{text}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

/** Decimals of the symbol's tick, as its prices are written. */
function tickDecimals(bars: readonly Bar[]): number {
  return Math.max(0, ...bars.slice(-50).map((bar) => decimalsOf(String(bar.close))));
}

interface Held {
  element: React.RefObject<HTMLElement | null>;
  picture: Picture | null;
  pointed: Bar | null;
}

/** The picture in its element, for as long as the component is there. */
function usePicture(older: () => void): Held {
  const element = useRef<HTMLElement>(null);
  const [picture, setPicture] = useState<Picture | null>(null);
  const [pointed, setPointed] = useState<Bar | null>(null);
  const asking = useRef(older);
  asking.current = older;
  useEffect(() => {
    if (element.current === null) return;
    const made = new Picture(element.current);
    made.chart.subscribeCrosshairMove((event) => setPointed(event.time === undefined ? null : made.barAt(event.time)));
    made.chart.timeScale().subscribeVisibleLogicalRangeChange((range) => {
      if (range !== null && range.from < NEAR_THE_EDGE) asking.current();
    });
    const forget = onPalette(() => made.recolour());
    setPicture(made);
    return () => {
      forget();
      setPicture(null);
      made.close();
    };
  }, []);
  return { element, picture, pointed };
}

function useDrawing(picture: Picture | null, candles: UsedCandles, props: CandleChartProps): number {
  const decimals = tickDecimals(candles.bars);
  const { interval, drawn, levels } = props;
  useEffect(() => picture?.format(decimals, LENGTH[interval]), [picture, decimals, interval]);
  useEffect(() => picture?.show(candles.bars), [picture, candles.bars]);
  useEffect(() => picture?.over(drawn), [picture, drawn]);
  useEffect(() => picture?.levels(levels), [picture, levels]);
  return decimals;
}

export default function CandleChart(props: CandleChartProps) {
  const candles = useCandles(props.symbol, props.interval);
  const { element, picture, pointed } = usePicture(candles.older);
  const decimals = useDrawing(picture, candles, props);
  const last = candles.bars.at(-1) ?? null;
  const isEmpty = candles.bars.length === 0;
  return (
    <div className={classes.frame}>
      <Legend bar={pointed ?? last} decimals={decimals} />
      <figure
        ref={element}
        className={classes.canvas}
        aria-label={`${props.symbol}, ${props.interval}: last ${fixed(last?.close, decimals)}`}
      />
      {isEmpty && (
        <div className={classes.over}>
          {candles.error !== null ? (
            <Failed error={candles.error} />
          ) : candles.isLoading ? (
            <Waiting lines={6} height={28} />
          ) : (
            'No trade has been recorded yet'
          )}
        </div>
      )}
    </div>
  );
}
