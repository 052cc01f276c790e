/** Who has changed what. */
import { useQuery } from '@tanstack/react-query';
import { Moment, ZoneName } from '@/parts/Ago.tsx';
import { type Column, DataTable } from '@/parts/DataTable.tsx';
import { Panel } from '@/parts/Panel.tsx';
import { Empty } from '@/parts/States.tsx';
import { type AuditRow, askAudit, differenceOf } from './asking.ts';

const COLUMNS: readonly Column<AuditRow>[] = [
  {
    id: 'time',
    title: 'Time',
    unit: <ZoneName />,
    cell: (row) => <Moment ms={row.happened_at_ms} />,
    value: (row) => row.happened_at_ms,
  },
  { id: 'who', title: 'Who', cell: (row) => row.who, value: (row) => row.who },
  { id: 'action', title: 'What', cell: (row) => row.action, value: (row) => row.action },
  { id: 'target', title: 'Of', cell: (row) => row.target ?? '–', value: (row) => row.target },
  {
    id: 'change',
    title: 'Before → after',
    isWide: true,
    cell: (row) => differenceOf(row.before, row.after) || '–',
    value: (row) => differenceOf(row.before, row.after),
  },
  {
    id: 'address',
    title: 'From',
    cell: (row) => row.address ?? '–',
    value: (row) => row.address,
    isForWideScreens: true,
  },
];

export function Audit() {
  const asked = useQuery(askAudit);
  return (
    <Panel title="Audit" asked={asked} note="the newest 100; CSV has all, and nobody can change a row">
      <DataTable
        label="Audit"
        columns={COLUMNS}
        rows={asked.data?.rows ?? []}
        keyOf={(row) => String(row.audit_id)}
        isFilterable
        csv="/api/audit?format=csv"
        maxHeight={460}
        empty={
          <Empty title="Nothing was changed yet">Each change of an account, a limit or a strategy stands here.</Empty>
        }
      />
    </Panel>
  );
}
