/** Invites: made for a role, shown once as a code and a link, revoked with a click. */
import { Button, Group, NativeSelect, NumberInput, Stack } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { api, bodyOf } from '@/api/client.ts';
import { Ago } from '@/parts/Ago.tsx';
import { type Column, DataTable } from '@/parts/DataTable.tsx';
import { Mark, type Tone } from '@/parts/Mark.tsx';
import { Panel } from '@/parts/Panel.tsx';
import { Secret } from '@/parts/Secret.tsx';
import { Empty } from '@/parts/States.tsx';
import { askInvites, type Invite, invitation, ROLES, type Role, revokeInvite } from './asking.ts';
import type { Doing } from './doing.ts';

const TONES: Record<Invite['state'], Tone> = { open: 'accent', used: 'good', revoked: 'neutral', expired: 'neutral' };

function columns(doing: Doing): Column<Invite>[] {
  return [
    { id: 'made', title: 'Made', cell: (row) => <Ago ms={row.created_ms} />, value: (row) => row.created_ms },
    { id: 'by', title: 'By', cell: (row) => row.created_by, value: (row) => row.created_by },
    { id: 'role', title: 'Role', cell: (row) => row.role, value: (row) => row.role },
    {
      id: 'state',
      title: 'State',
      cell: (row) => <Mark tone={TONES[row.state]}>{row.used_by === null ? row.state : `used by ${row.used_by}`}</Mark>,
      value: (row) => row.state,
    },
    { id: 'ends', title: 'Ends', cell: (row) => <Ago ms={row.expires_ms} />, value: (row) => row.expires_ms },
    {
      id: 'revoke',
      title: '',
      cell: (row) =>
        row.state === 'open' && (
          <Button
            size="compact-xs"
            variant="default"
            onClick={() => doing('The invite is revoked', () => revokeInvite(row.code_id))}
          >
            Revoke<span className="visually-hidden"> the invite for a {row.role}</span>
          </Button>
        ),
    },
  ];
}

function Making({ doing, onMade }: { doing: Doing; onMade: (code: string) => void }) {
  const [role, setRole] = useState<Role>('viewer');
  const [hours, setHours] = useState<string | number>(72);
  const make = () =>
    doing(`An invite for a ${role} is made`, async () => {
      const made = await bodyOf(api.POST('/api/invites', { body: { role, hours: Number(hours) } }));
      onMade(made.code);
    });
  return (
    <Group gap="xs" align="flex-end" p="sm">
      <NativeSelect
        size="xs"
        label="Role"
        value={role}
        data={[...ROLES]}
        onChange={(event) => setRole(event.currentTarget.value as Role)}
      />
      <NumberInput size="xs" label="Good for, hours" w={110} min={1} max={720} value={hours} onChange={setHours} />
      <Button size="xs" onClick={make} disabled={hours === ''}>
        Invite somebody
      </Button>
    </Group>
  );
}

export function InviteList({ doing }: { doing: Doing }) {
  const asked = useQuery(askInvites);
  const [code, setCode] = useState<string | null>(null);
  return (
    <Panel title="Invites" asked={asked} note="good once">
      <Making doing={doing} onMade={setCode} />
      {code !== null && (
        <Stack gap="xs" px="sm" pb="sm">
          <Secret label="The code, shown this once" value={code} />
          <Secret label="The same as a link" value={invitation(location.origin, code)} />
        </Stack>
      )}
      <DataTable
        label="Invites"
        columns={columns(doing)}
        rows={asked.data?.invites ?? []}
        keyOf={(row) => row.code_id}
        maxHeight={320}
        empty={<Empty title="No invite">Nobody comes in without one.</Empty>}
      />
    </Panel>
  );
}
