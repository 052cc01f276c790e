/** What the signal looked at, with its age and how much of it was known. */
import { percent, plain } from '@/format/numbers.ts';
import { duration } from '@/format/time.ts';
import { type Column, DataTable } from '@/parts/DataTable.tsx';
import { Mark } from '@/parts/Mark.tsx';
import { Panel } from '@/parts/Panel.tsx';
import { Empty } from '@/parts/States.tsx';
import { spoken } from '@/trading/names.ts';
import type { Story } from '../asking.ts';
import { type InputRow, inputRows } from './inputs.ts';

/** Below this a figure is marked: something of its window is not known. */
const WHOLE = 0.9995;

function Coverage({ share }: { share: number | null }) {
  if (share === null) return <span>–</span>;
  return share >= WHOLE ? <span>{percent(share, 0)}</span> : <Mark tone="degraded">{percent(share, 1)}</Mark>;
}

const COLUMNS: readonly Column<InputRow>[] = [
  { id: 'name', title: 'Input', cell: (row) => spoken(row.name), value: (row) => spoken(row.name) },
  {
    id: 'value',
    title: 'Value',
    isNumeric: true,
    cell: (row) => (row.value === null ? 'not known' : plain(row.value)),
  },
  {
    id: 'age',
    title: 'Age',
    isNumeric: true,
    cell: (row) => (row.ageMs === null ? <span title="Up to the signal’s instant">now</span> : duration(row.ageMs)),
    value: (row) => row.ageMs ?? 0,
  },
  {
    id: 'coverage',
    title: 'Coverage',
    isNumeric: true,
    cell: (row) => <Coverage share={row.coverage} />,
    value: (row) => row.coverage,
  },
];

export function Inputs({ story }: { story: Story }) {
  const rows = inputRows(story.inputs, story.coverage);
  return (
    <Panel title="What it looked at" note="as of the signal’s instant">
      <DataTable
        label="Inputs"
        columns={COLUMNS}
        rows={rows}
        keyOf={(row) => row.name}
        maxHeight={420}
        empty={<Empty title="This signal says nothing of its inputs" />}
      />
    </Panel>
  );
}
