/** Where one is signed in, and how to end that. */
import { Button, Group } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { api, bodyOf, type Schema } from '@/api/client.ts';
import { sentenceOf } from '@/api/problem.ts';
import { Ago } from '@/parts/Ago.tsx';
import { type Column, DataTable } from '@/parts/DataTable.tsx';
import { FormWords } from '@/parts/FormWords.tsx';
import { Mark } from '@/parts/Mark.tsx';
import { Panel } from '@/parts/Panel.tsx';
import { Empty } from '@/parts/States.tsx';
import { logOut } from '@/session/session.ts';
import { askSessions } from './asking.ts';
import { deviceOf } from './device.ts';

type Row = Schema<'SessionAnswer'>;

function columns(onEnd: (row: Row) => void, isBusy: boolean): Column<Row>[] {
  return [
    {
      id: 'device',
      title: 'Device',
      cell: (row) => <span title={row.device}>{deviceOf(row.device)}</span>,
      value: (row) => deviceOf(row.device),
    },
    {
      id: 'address',
      title: 'Address',
      cell: (row) => row.address,
      value: (row) => row.address,
      isForWideScreens: true,
    },
    { id: 'seen', title: 'Last seen', cell: (row) => <Ago ms={row.seen_ms} />, value: (row) => row.seen_ms },
    {
      id: 'since',
      title: 'Since',
      cell: (row) => <Ago ms={row.created_ms} />,
      value: (row) => row.created_ms,
      isForWideScreens: true,
    },
    {
      id: 'until',
      title: 'Ends',
      cell: (row) => <Ago ms={row.expires_ms} />,
      value: (row) => row.expires_ms,
      isForWideScreens: true,
    },
    {
      id: 'end',
      title: '',
      cell: (row) =>
        row.current ? (
          <Mark tone="accent">this one</Mark>
        ) : (
          <Button size="compact-xs" variant="default" disabled={isBusy} onClick={() => onEnd(row)}>
            End<span className="visually-hidden"> the session on {deviceOf(row.device)}</span>
          </Button>
        ),
    },
  ];
}

export function Sessions() {
  const client = useQueryClient();
  const asked = useQuery(askSessions);
  const ending = useMutation({
    mutationFn: ({ session_id }: Row) =>
      bodyOf(api.DELETE('/api/auth/sessions/{session_id}', { params: { path: { session_id } } })),
    onSettled: () => client.invalidateQueries({ queryKey: askSessions.queryKey }),
  });
  const leaving = useMutation({ mutationFn: (everywhere: boolean) => logOut(everywhere) });
  const error = ending.error ?? leaving.error;
  const actions = (
    <Group gap="xs">
      <Button size="compact-xs" variant="default" onClick={() => leaving.mutate(false)}>
        Log out here
      </Button>
      <Button size="compact-xs" variant="default" onClick={() => leaving.mutate(true)}>
        Log out everywhere
      </Button>
    </Group>
  );
  return (
    <Panel title="Sessions" asked={asked} actions={actions}>
      <FormWords refusal={error === null ? null : sentenceOf(error)} />
      <DataTable
        label="Sessions"
        columns={columns((row) => ending.mutate(row), ending.isPending)}
        rows={asked.data?.sessions ?? []}
        keyOf={(row) => row.session_id}
        maxHeight={300}
        empty={<Empty title="No session">Logging in makes one.</Empty>}
      />
    </Panel>
  );
}
