/** Every service: whether it is ready, how far behind, how fast, how large. */
import { useQuery } from '@tanstack/react-query';
import { askServer } from '@/api/queries.ts';
import { bytes, fixed } from '@/format/numbers.ts';
import { duration } from '@/format/time.ts';
import { type Column, DataTable } from '@/parts/DataTable.tsx';
import { Mark } from '@/parts/Mark.tsx';
import { Panel } from '@/parts/Panel.tsx';
import { Empty } from '@/parts/States.tsx';
import { paceOf, type Service, stateOf, troubledFirst } from './machine.ts';

function State({ service }: { service: Service }) {
  const { tone, word, why } = stateOf(service);
  return (
    <Mark tone={tone} title={why || undefined}>
      {word}
    </Mark>
  );
}

const COLUMNS: readonly Column<Service>[] = [
  { id: 'name', title: 'Service', cell: ({ name }) => name.replaceAll('_', ' '), value: ({ name }) => name },
  {
    id: 'state',
    title: 'State',
    cell: (service) => <State service={service} />,
    value: (service) => stateOf(service).word,
  },
  {
    id: 'lag',
    title: 'Behind',
    unit: 'records',
    isNumeric: true,
    cell: ({ lag_records }) => fixed(lag_records, 0),
    value: ({ lag_records }) => lag_records,
  },
  {
    id: 'memory',
    title: 'Memory',
    isNumeric: true,
    cell: ({ memory_bytes }) => bytes(memory_bytes),
    value: ({ memory_bytes }) => memory_bytes,
  },
  {
    id: 'uptime',
    title: 'Up for',
    isNumeric: true,
    cell: ({ uptime_seconds }) => duration(uptime_seconds === null ? null : uptime_seconds * 1_000),
    value: ({ uptime_seconds }) => uptime_seconds,
  },
  {
    id: 'restarts',
    title: 'Restarts',
    isNumeric: true,
    cell: ({ restarts }) => ((restarts ?? 0) > 0 ? <Mark tone="degraded">{restarts}</Mark> : fixed(restarts, 0)),
    value: ({ restarts }) => restarts,
  },
  {
    id: 'pace',
    title: 'A second',
    isForWideScreens: true,
    cell: (service) => paceOf(service) || '–',
    value: (service) => paceOf(service),
  },
  {
    id: 'waits',
    title: 'Waits for',
    isWide: true,
    cell: (service) => stateOf(service).why || '–',
    value: (service) => stateOf(service).why,
  },
];

export function Services() {
  const asked = useQuery(askServer);
  const services = troubledFirst(asked.data?.services ?? []);
  const ready = services.filter(({ ready }) => ready === true).length;
  const note = services.length === 0 ? undefined : `${ready} of ${services.length} ready`;
  return (
    <Panel title="Services" asked={asked} lines={12} note={note}>
      <DataTable
        label="Services"
        columns={COLUMNS}
        rows={services}
        keyOf={({ name }) => name}
        isFilterable
        empty={
          <Empty title="Nobody has said which services there are">
            With other process managers PERPSTREAM_SERVICES names them and their health ports.
          </Empty>
        }
      />
    </Panel>
  );
}
