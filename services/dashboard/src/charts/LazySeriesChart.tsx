/** The chart, whose library is loaded when the first one is shown. */
import { lazy, Suspense } from 'react';
import { Waiting } from '@/parts/States.tsx';
import type { SeriesChartProps } from './series.ts';

const Chart = lazy(() => import('./SeriesChart.tsx'));

export function SeriesChart(props: SeriesChartProps) {
  return (
    <Suspense fallback={<Waiting lines={6} height={28} />}>
      <Chart {...props} />
    </Suspense>
  );
}
