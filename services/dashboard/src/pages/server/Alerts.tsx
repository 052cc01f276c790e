/** What wants attention, the newest first. */
import { Ago } from '@/parts/Ago.tsx';
import { type Column, DataTable } from '@/parts/DataTable.tsx';
import { Mark, type Tone } from '@/parts/Mark.tsx';
import { Panel } from '@/parts/Panel.tsx';
import { Empty, Waiting } from '@/parts/States.tsx';
import { useIsTold, useRecent } from '@/stream/hooks.ts';
import type { Alert } from '@/stream/protocol.ts';

const TONES: Record<Alert['severity'], Tone> = { critical: 'danger', warning: 'degraded', info: 'neutral' };
const TOPIC = { channel: 'alerts' } as const;

const COLUMNS: readonly Column<Alert>[] = [
  {
    id: 'time',
    title: 'When',
    cell: (alert) => <Ago ms={alert.event_time_ms} />,
    value: (alert) => alert.event_time_ms,
  },
  {
    id: 'severity',
    title: 'Severity',
    cell: (alert) => <Mark tone={TONES[alert.severity]}>{alert.severity}</Mark>,
    value: (alert) => alert.severity,
  },
  { id: 'title', title: 'What', cell: (alert) => alert.title, value: (alert) => alert.title },
  { id: 'detail', title: 'Detail', isWide: true, cell: (alert) => alert.detail, value: (alert) => alert.detail },
  { id: 'source', title: 'From', cell: (alert) => alert.source, value: (alert) => alert.source },
  {
    id: 'runbook',
    title: 'What to do',
    isForWideScreens: true,
    cell: (alert) => alert.runbook ?? '–',
    value: (alert) => alert.runbook,
  },
];

export function Alerts() {
  const alerts = useRecent(TOPIC);
  const isTold = useIsTold(TOPIC);
  const rows = [...alerts].reverse();
  return (
    <Panel title="Alerts" isLive note="as the gateway has heard them since its start">
      {!isTold ? (
        <Waiting lines={3} />
      ) : (
        <DataTable
          label="Alerts"
          columns={COLUMNS}
          rows={rows}
          keyOf={(alert) => alert.event_id}
          isFilterable={rows.length > 5}
          maxHeight={260}
          empty={
            <Empty title="No alert">
              Guard, executor, recorder and drift check raise them; the notifier sends them on.
            </Empty>
          }
        />
      )}
    </Panel>
  );
}
