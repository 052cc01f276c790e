/** What the account's closed trades have made, step by step. */
import { useQuery } from '@tanstack/react-query';
import { useMemo } from 'react';
import { toNumber } from '@/format/numbers.ts';
import { Panel } from '@/parts/Panel.tsx';
import { Empty } from '@/parts/States.tsx';
import { CurveChart } from '@/trading/CurveChart.tsx';
import { curvesOf } from '@/trading/curve.ts';
import { askCurve } from './asking.ts';

export function Made() {
  const asked = useQuery(askCurve);
  const curves = useMemo(
    () =>
      curvesOf(
        asked.data?.rows ?? [],
        () => 'made',
        (row) => ({ timeMs: row.exit_time_ms, value: toNumber(row.made) ?? 0 }),
      ),
    [asked.data],
  );
  return (
    <Panel title="Made by closed trades" note="USDT, fees and funding in it" asked={asked} lines={8}>
      {curves.length === 0 ? (
        <Empty title="No trade has closed yet">Each exit is a step here.</Empty>
      ) : (
        <CurveChart label="Made by closed trades" unit="USDT" curves={curves} isStepped />
      )}
    </Panel>
  );
}
