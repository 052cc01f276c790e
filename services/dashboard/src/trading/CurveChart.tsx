/** Lines over time: equity, and what trades have made. Its words say the same to whoever does not see it. */
import { useMemo } from 'react';
import { SeriesChart } from '@/charts/LazySeriesChart.tsx';
import type { Series, Token } from '@/charts/series.ts';
import { fixed } from '@/format/numbers.ts';
import { type Curve, deepestFall } from './curve.ts';

const COLOURS: readonly Token[] = ['--accent', '--degraded', '--series-4', '--series-5', '--dim'];
const HEIGHT = 230;

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
  const series = useMemo<Series[]>(
    () =>
      curves.map(({ name, points }, index) => ({
        id: name,
        name,
        kind: isStepped ? 'steps' : 'line',
        colour: COLOURS[index % COLOURS.length] ?? '--accent',
        // Told apart by more than their colour.
        isDashed: index % 2 === 1,
        pane: 0,
        points: points.map(({ timeMs, value }) => ({ time_ms: timeMs, value })),
        write: (value) => fixed(value, 2),
      })),
    [curves, isStepped],
  );
  const words = curves.map((curve) => wordsOf(curve, unit)).join('; ');
  return (
    <SeriesChart
      label={`${label}: ${words}`}
      series={series}
      subject={curves.map(({ name }) => name).join()}
      height={HEIGHT}
    />
  );
}
