/** The machine and the database: how much room there is. */
import { useQuery } from '@tanstack/react-query';
import type { Schema } from '@/api/client.ts';
import { askServer } from '@/api/queries.ts';
import { bytes, count, fixed, percent } from '@/format/numbers.ts';
import { type Column, DataTable } from '@/parts/DataTable.tsx';
import { Fact, Facts } from '@/parts/Facts.tsx';
import { Mark } from '@/parts/Mark.tsx';
import { Panel } from '@/parts/Panel.tsx';
import { Empty } from '@/parts/States.tsx';
import { usage } from './machine.ts';

type Table = Schema<'TableSizeAnswer'>;

function Used({ free, total }: { free: number; total: number }) {
  const { share, tone } = usage(free, total);
  return (
    <>
      {bytes(total - free)} of {bytes(total)} <Mark tone={tone === 'good' ? 'neutral' : tone}>{percent(share, 0)}</Mark>
    </>
  );
}

export function MachinePanel() {
  const asked = useQuery(askServer);
  const server = asked.data;
  return (
    <Panel title="Machine" asked={asked} lines={3}>
      {server !== undefined && (
        <Facts label="Machine">
          <Fact name="Stack">
            <Mark tone={server.ready ? 'good' : 'danger'}>{server.ready ? 'ready' : 'not ready'}</Mark>
          </Fact>
          <Fact name="Kafka">
            <Mark tone={server.kafka_following ? 'good' : 'danger'}>
              {server.kafka_following ? 'heard' : 'not heard'}
            </Mark>
          </Fact>
          <Fact name="Venue">{server.venue}</Fact>
          <Fact name="Symbols">{server.symbols.length}</Fact>
          <Fact name="Load, 1 min" title="Processes that want to run, of so many processors">
            {fixed(server.machine.load_1m, 2)} of {server.machine.processors}
          </Fact>
          <Fact name="Memory">
            <Used free={server.machine.memory_available_bytes} total={server.machine.memory_total_bytes} />
          </Fact>
          <Fact name="Disk">
            <Used free={server.machine.disk_free_bytes} total={server.machine.disk_total_bytes} />
          </Fact>
          <Fact name="Version">
            {server.version}, Python {server.python}
          </Fact>
        </Facts>
      )}
    </Panel>
  );
}

const TABLES: readonly Column<Table>[] = [
  { id: 'name', title: 'Table', cell: ({ name }) => name, value: ({ name }) => name },
  {
    id: 'size',
    title: 'Size',
    isNumeric: true,
    cell: ({ size_bytes }) => bytes(size_bytes),
    value: ({ size_bytes }) => size_bytes,
  },
  {
    id: 'rows',
    title: 'Rows, about',
    isNumeric: true,
    cell: ({ estimated_rows }) => (estimated_rows < 0 ? '–' : count(estimated_rows)),
    value: ({ estimated_rows }) => estimated_rows,
  },
];

export function DatabasePanel() {
  const asked = useQuery(askServer);
  const database = asked.data?.database;
  return (
    <Panel title="Database" asked={asked} lines={6} note={database ? `PostgreSQL ${database.version}` : undefined}>
      {database ? (
        <>
          <Facts label="Database">
            <Fact name="Size">{bytes(database.size_bytes)}</Fact>
            <Fact name="Connections">{database.connections}</Fact>
            <Fact name="Schema">{database.revision}</Fact>
          </Facts>
          <DataTable
            label="Largest tables"
            columns={TABLES}
            rows={database.largest}
            keyOf={({ name }) => name}
            maxHeight={240}
            empty={<Empty title="No table yet" />}
          />
        </>
      ) : (
        <Empty title="The database does not answer">
          What is shown from memory goes on; what is recorded waits in Kafka until it is back.
        </Empty>
      )}
    </Panel>
  );
}
