/** Who has an account: role, second factor, ban. */
import { Button, NativeSelect } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { Ago } from '@/parts/Ago.tsx';
import { type Column, DataTable } from '@/parts/DataTable.tsx';
import { Mark } from '@/parts/Mark.tsx';
import { Panel } from '@/parts/Panel.tsx';
import { Empty } from '@/parts/States.tsx';
import { useMe } from '@/session/session.ts';
import { askUsers, ban, ROLES, type Role, setRole, type User, unban } from './asking.ts';
import type { Doing } from './doing.ts';

function RoleCell({ user, isMe, doing }: { user: User; isMe: boolean; doing: Doing }) {
  if (isMe) return <span title="You cannot change your own role">{user.role}</span>;
  const change = (role: Role) => doing(`${user.name} becomes ${role}`, () => setRole(user.name, role));
  return (
    <NativeSelect
      size="xs"
      w={92}
      aria-label={`Role of ${user.name}`}
      value={user.role}
      data={[...ROLES]}
      onChange={(event) => change(event.currentTarget.value as Role)}
    />
  );
}

/** Out at once reduces risk, and still asks twice: it hits a person. */
function BanCell({ user, isMe, doing }: { user: User; isMe: boolean; doing: Doing }) {
  const [isSure, setSure] = useState(false);
  if (isMe) return <Mark tone="accent">you</Mark>;
  if (user.banned_ms !== null) {
    return (
      <Button
        size="compact-xs"
        variant="default"
        onClick={() => doing(`${user.name} may come in again`, () => unban(user.name))}
      >
        Lift the ban<span className="visually-hidden"> of {user.name}</span>
      </Button>
    );
  }
  if (!isSure) {
    return (
      <Button size="compact-xs" variant="default" onClick={() => setSure(true)}>
        Ban …<span className="visually-hidden"> {user.name}</span>
      </Button>
    );
  }
  return (
    <Button.Group>
      <Button size="compact-xs" color="red" onClick={() => doing(`${user.name} is out`, () => ban(user.name))}>
        Ban {user.name}: all sessions end
      </Button>
      <Button size="compact-xs" variant="default" onClick={() => setSure(false)}>
        No
      </Button>
    </Button.Group>
  );
}

function columns(me: string, doing: Doing): Column<User>[] {
  const isMe = (user: User) => user.name === me;
  return [
    { id: 'name', title: 'Name', cell: (user) => user.name, value: (user) => user.name },
    {
      id: 'role',
      title: 'Role',
      cell: (user) => <RoleCell user={user} isMe={isMe(user)} doing={doing} />,
      value: (user) => user.role,
    },
    {
      id: 'factor',
      title: 'Second factor',
      cell: (user) => (user.second_factor ? <Mark tone="good">yes</Mark> : <Mark tone="neutral">no</Mark>),
      value: (user) => (user.second_factor ? 'yes' : 'no'),
    },
    {
      id: 'state',
      title: 'State',
      cell: (user) =>
        user.banned_ms === null ? (
          'active'
        ) : (
          <Mark tone="danger">
            banned <Ago ms={user.banned_ms} />
          </Mark>
        ),
      value: (user) => (user.banned_ms === null ? 'active' : 'banned'),
    },
    {
      id: 'since',
      title: 'Since',
      cell: (user) => <Ago ms={user.created_ms} />,
      value: (user) => user.created_ms,
      isForWideScreens: true,
    },
    {
      id: 'by',
      title: 'Made by',
      cell: (user) => user.created_by,
      value: (user) => user.created_by,
      isForWideScreens: true,
    },
    { id: 'ban', title: '', cell: (user) => <BanCell user={user} isMe={isMe(user)} doing={doing} /> },
  ];
}

export function Accounts({ doing }: { doing: Doing }) {
  const me = useMe();
  const asked = useQuery(askUsers);
  return (
    <Panel title="Accounts" asked={asked}>
      <DataTable
        label="Accounts"
        columns={columns(me.name, doing)}
        rows={asked.data?.users ?? []}
        keyOf={(user) => `${user.name} ${user.banned_ms ?? ''}`}
        isFilterable
        maxHeight={420}
        empty={<Empty title="Nobody">An invite makes the first account.</Empty>}
      />
    </Panel>
  );
}
