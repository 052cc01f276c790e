/** Equity over time, a line a strategy. */
import { useQuery } from '@tanstack/react-query';
import { useMemo } from 'react';
import { Panel } from '@/parts/Panel.tsx';
import { Empty } from '@/parts/States.tsx';
import { CurveChart } from '@/trading/CurveChart.tsx';
import { curvesOf } from '@/trading/curve.ts';
import { askPaperEquity, type Narrowed } from './asking.ts';

export function Equity({ narrowed }: { narrowed: Narrowed }) {
  const asked = useQuery(askPaperEquity(narrowed));
  const curves = useMemo(
    () =>
      curvesOf(
        asked.data?.rows ?? [],
        (row) => row.strategy,
        (row) => ({ timeMs: row.event_time_ms, value: row.equity }),
      ),
    [asked.data],
  );
  return (
    <Panel title="Equity" note="USDT, open positions at their last price" asked={asked} lines={9}>
      {curves.length === 0 ? (
        <Empty title="No equity in this time">A point is kept each minute while the paper trader runs.</Empty>
      ) : (
        <CurveChart label="Equity on paper" unit="USDT" curves={curves} />
      )}
    </Panel>
  );
}
