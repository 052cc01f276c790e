/** Several series on one time axis: one box tells everything at the time under the pointer; zoom and pan stay when data comes. */
import { useEffect, useRef, useState } from 'react';
import { UNKNOWN } from '@/format/numbers.ts';
import { moment, zoneName } from '@/format/time.ts';
import { usePreferences } from '@/preferences/preferences.ts';
import { onPalette } from './palette.ts';
import classes from './SeriesChart.module.css';
import { type Series, type SeriesChartProps, valueAt } from './series.ts';
import { SeriesDrawing } from './seriesDrawing.ts';

const NO_HOLES = [] as const;
const ONE = [1] as const;
/** So many points from the left edge, more are wanted. */
const NEAR_THE_EDGE = 40;

/** What the series are at that time; at their ends while nobody points. */
function Legend({ series, at }: { series: readonly Series[]; at: number | null }) {
  const { zone } = usePreferences();
  return (
    <div className={classes.legend} aria-hidden="true">
      <span className={classes.at}>{at === null ? 'newest' : `${moment(at, zone)} ${zoneName(zone)}`}</span>
      {series.map((each) => {
        const value = valueAt(each.points, at);
        return (
          <span key={each.id} className={classes.entry}>
            <svg width="14" height="8" aria-hidden="true" className={classes.swatch}>
              <line
                x1="0"
                y1="4"
                x2="14"
                y2="4"
                stroke={`var(${each.colour})`}
                strokeWidth={each.kind === 'bars' ? 7 : 2.5}
                strokeDasharray={each.isDashed ? '4 3' : undefined}
              />
            </svg>
            {each.name} <b>{value === null ? UNKNOWN : each.write(value)}</b>
          </span>
        );
      })}
    </div>
  );
}

export default function SeriesChart(props: SeriesChartProps) {
  const { series, holes = NO_HOLES, subject, stretch = ONE, label, height } = props;
  const element = useRef<HTMLElement>(null);
  const drawing = useRef<SeriesDrawing | null>(null);
  const shown = useRef<string | null>(null);
  const [at, setAt] = useState<number | null>(null);
  const [dress, setDress] = useState(0);
  const { zone } = usePreferences();
  const onLeft = useRef(props.onLeft);
  onLeft.current = props.onLeft;
  const isTouched = useRef(false);
  const touch = () => {
    isTouched.current = true;
  };

  useEffect(() => {
    if (element.current === null) return;
    const made = new SeriesDrawing(element.current);
    made.chart.subscribeCrosshairMove(({ time }) => setAt(time === undefined ? null : Number(time) * 1_000));
    made.chart.timeScale().subscribeVisibleLogicalRangeChange((range) => {
      // Before its first fit the range says nothing of what a person wants.
      if (range !== null && range.from < NEAR_THE_EDGE && shown.current !== null && isTouched.current)
        onLeft.current?.();
    });
    drawing.current = made;
    const forget = onPalette(() => setDress((count) => count + 1));
    return () => {
      forget();
      made.close();
      drawing.current = null;
      shown.current = null;
    };
  }, []);

  // biome-ignore lint/correctness/useExhaustiveDependencies: another dress gives the tokens other colours
  useEffect(() => {
    drawing.current?.dress(zone);
    drawing.current?.show(series, holes, stretch);
    if (shown.current === subject || series.every((each) => each.points.length === 0)) return;
    drawing.current?.chart.timeScale().fitContent();
    shown.current = subject;
  }, [series, holes, stretch, subject, zone, dress]);

  return (
    <div className={classes.frame}>
      <Legend series={series} at={at} />
      <figure
        ref={element}
        className={classes.canvas}
        aria-label={label}
        style={{ height }}
        onWheel={touch}
        onPointerDown={touch}
      />
    </div>
  );
}
