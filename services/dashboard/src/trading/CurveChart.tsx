/** Lines over time: equity, and what trades have made. Its words say the same to whoever does not see it. */
import { useComputedColorScheme } from '@mantine/core';
import {
  ColorType,
  createChart,
  type IChartApi,
  type ISeriesApi,
  LineSeries,
  LineStyle,
  LineType,
  type UTCTimestamp,
} from 'lightweight-charts';
import { useEffect, useRef } from 'react';
import { fixed } from '@/format/numbers.ts';
import { clock, date } from '@/format/time.ts';
import { usePreferences } from '@/preferences/preferences.ts';
import classes from './CurveChart.module.css';
import { type Curve, chartPoints, deepestFall } from './curve.ts';

/** Told apart by their dashes too. */
const LOOKS = [
  { colour: '--accent', style: LineStyle.Solid },
  { colour: '--degraded', style: LineStyle.Dashed },
  { colour: '--up', style: LineStyle.Dotted },
  { colour: '--dim', style: LineStyle.LargeDashed },
] as const;

function look(index: number) {
  return LOOKS[index % LOOKS.length] ?? LOOKS[0];
}

function colour(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function optionsNow() {
  const line = colour('--line');
  return {
    layout: {
      background: { type: ColorType.Solid, color: 'transparent' },
      textColor: colour('--dim'),
      fontFamily: "'Inter Variable', system-ui, sans-serif",
      fontSize: 11,
      attributionLogo: false,
    },
    grid: { vertLines: { visible: false }, horzLines: { color: line, style: LineStyle.SparseDotted } },
    rightPriceScale: { borderColor: line, scaleMargins: { top: 0.18, bottom: 0.08 } },
    timeScale: { borderColor: line, timeVisible: true, secondsVisible: false },
    autoSize: true,
  };
}

interface CurveChartProps {
  label: string;
  unit: string;
  curves: readonly Curve[];
  /** Steps rather than slopes: between two trades nothing was made. */
  isStepped?: boolean;
}

function wordsOf({ name, points }: Curve, unit: string): string {
  const [first, last] = [points[0], points.at(-1)];
  if (first === undefined || last === undefined) return `${name}: no points`;
  const { fall } = deepestFall(points);
  return `${name}: from ${fixed(first.value, 2)} to ${fixed(last.value, 2)} ${unit}, deepest fall ${fixed(fall, 2)} ${unit}`;
}

export function CurveChart({ label, unit, curves, isStepped = false }: CurveChartProps) {
  const box = useRef<HTMLDivElement>(null);
  const chart = useRef<IChartApi | null>(null);
  const lines = useRef(new Map<string, ISeriesApi<'Line'>>());
  const scheme = useComputedColorScheme('dark');
  const { zone, pair } = usePreferences();
  useEffect(() => {
    if (box.current === null) return;
    const made = createChart(box.current, { ...optionsNow(), handleScale: { mouseWheel: false } });
    const drawn = lines.current;
    chart.current = made;
    return () => {
      drawn.clear();
      chart.current = null;
      made.remove();
    };
  }, []);
  // biome-ignore lint/correctness/useExhaustiveDependencies: colours are read from the page, which changes with these
  useEffect(() => {
    const timeFormatter = (time: number) => `${date(time * 1_000, zone)} ${clock(time * 1_000, zone)}`;
    chart.current?.applyOptions({ ...optionsNow(), localization: { timeFormatter } });
    for (const [index, line] of [...lines.current.values()].entries()) {
      line.applyOptions({ color: colour(look(index).colour) });
    }
  }, [scheme, zone, pair]);
  useEffect(() => {
    const made = chart.current;
    if (made === null) return;
    for (const [name, line] of lines.current) {
      if (curves.some((curve) => curve.name === name)) continue;
      made.removeSeries(line);
      lines.current.delete(name);
    }
    curves.forEach((curve, index) => {
      const isNew = !lines.current.has(curve.name);
      const line = lines.current.get(curve.name) ?? made.addSeries(LineSeries, { lineWidth: 2 });
      const lineType = isStepped ? LineType.WithSteps : LineType.Simple;
      line.applyOptions({ color: colour(look(index).colour), lineStyle: look(index).style, lineType });
      line.setData(chartPoints(curve.points).map(({ time, value }) => ({ time: time as UTCTimestamp, value })));
      lines.current.set(curve.name, line);
      if (isNew) made.timeScale().fitContent();
    });
  }, [curves, isStepped]);
  return (
    <figure className={classes.chart} aria-label={label} style={{ margin: 0 }}>
      <figcaption className="visually-hidden">{curves.map((curve) => wordsOf(curve, unit)).join('; ')}</figcaption>
      <div className={classes.legend} aria-hidden="true">
        {curves.map((curve, index) => (
          <span key={curve.name}>
            <span className={classes.dash} style={{ background: `var(${look(index).colour})` }} />
            {curve.name} {fixed(curve.points.at(-1)?.value, 2)} {unit}
          </span>
        ))}
      </div>
      <div ref={box} className={classes.canvas} />
    </figure>
  );
}
