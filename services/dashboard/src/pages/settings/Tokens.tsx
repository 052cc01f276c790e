/** Tokens for one's programs: made with the password, shown once, ended with a click. */
import { Button, Checkbox, Group, NumberInput, PasswordInput, Stack, Text, TextInput } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { api, bodyOf, type Schema } from '@/api/client.ts';
import { sentenceOf } from '@/api/problem.ts';
import { text, useSending } from '@/pages/login/sending.ts';
import { Ago } from '@/parts/Ago.tsx';
import { type Column, DataTable } from '@/parts/DataTable.tsx';
import { FormWords } from '@/parts/FormWords.tsx';
import { Panel } from '@/parts/Panel.tsx';
import { Secret } from '@/parts/Secret.tsx';
import { Empty } from '@/parts/States.tsx';
import { useMe } from '@/session/session.ts';
import { askTokens } from './asking.ts';

type Row = Schema<'TokenAnswer'>;

function columns(onEnd: (row: Row) => void, isBusy: boolean): Column<Row>[] {
  return [
    { id: 'name', title: 'Name', cell: (row) => row.name, value: (row) => row.name },
    { id: 'scopes', title: 'May', cell: (row) => row.scopes.join(', '), value: (row) => row.scopes.join(' ') },
    {
      id: 'used',
      title: 'Last used',
      cell: (row) => (row.used_ms === null ? 'never' : <Ago ms={row.used_ms} />),
      value: (row) => row.used_ms,
    },
    { id: 'ends', title: 'Ends', cell: (row) => <Ago ms={row.expires_ms} />, value: (row) => row.expires_ms },
    {
      id: 'end',
      title: '',
      cell: (row) => (
        <Button size="compact-xs" variant="default" disabled={isBusy} onClick={() => onEnd(row)}>
          Revoke<span className="visually-hidden"> {row.name}</span>
        </Button>
      ),
    },
  ];
}

function NewToken({ onMade, onLeave }: { onMade: (token: string) => void; onLeave: () => void }) {
  const me = useMe();
  const mayTrade = me.role !== 'viewer';
  const { isSending, refusal, submit } = useSending(async (fields) => {
    const scopes: ('read' | 'trade')[] = fields.get('trade') === null ? ['read'] : ['read', 'trade'];
    const body = {
      name: text(fields, 'name').trim(),
      days: Number(text(fields, 'days')),
      password: text(fields, 'password'),
      scopes,
    };
    onMade((await bodyOf(api.POST('/api/auth/tokens', { body }))).token);
  });
  return (
    <form onSubmit={submit}>
      <Stack gap="sm" p="sm">
        <FormWords refusal={refusal} />
        <TextInput name="name" label="Name" placeholder="what uses it" maxLength={60} required data-autofocus="" />
        <NumberInput name="days" label="Good for so many days" defaultValue={90} min={1} max={366} required />
        <Checkbox
          name="trade"
          label="May also reduce risk: pause, lock, close, flatten"
          description={mayTrade ? 'A token never raises risk' : 'Your role is viewer: its tokens read'}
          disabled={!mayTrade}
        />
        <PasswordInput name="password" label="Your password" autoComplete="current-password" required />
        <Group gap="xs">
          <Button type="submit" loading={isSending}>
            Make the token
          </Button>
          <Button variant="default" onClick={onLeave}>
            Cancel
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

export function Tokens() {
  const client = useQueryClient();
  const asked = useQuery(askTokens);
  const [isMaking, setMaking] = useState(false);
  const [made, setMade] = useState<string | null>(null);
  const again = () => client.invalidateQueries({ queryKey: askTokens.queryKey });
  const ending = useMutation({
    mutationFn: ({ token_id }: Row) =>
      bodyOf(api.DELETE('/api/auth/tokens/{token_id}', { params: { path: { token_id } } })),
    onSettled: again,
  });
  const finish = (token: string) => {
    setMade(token);
    setMaking(false);
    void again();
  };
  const action = (
    <Button size="compact-xs" variant="default" onClick={() => setMaking(true)} disabled={isMaking}>
      New token …
    </Button>
  );
  return (
    <Panel title="API tokens" asked={asked} note="for programs" actions={action}>
      <FormWords refusal={ending.error === null ? null : sentenceOf(ending.error)} />
      {made !== null && (
        <Stack gap="xs" p="sm">
          <Secret label="Your new token, shown this once" value={made} />
          <Text size="xs" c="dimmed">
            Send it as <code>Authorization: Bearer …</code>
          </Text>
        </Stack>
      )}
      {isMaking && <NewToken onMade={finish} onLeave={() => setMaking(false)} />}
      <DataTable
        label="API tokens"
        columns={columns((row) => ending.mutate(row), ending.isPending)}
        rows={asked.data?.tokens ?? []}
        keyOf={(row) => row.token_id}
        maxHeight={300}
        empty={<Empty title="No token">A program signs in with one, and never with your password.</Empty>}
      />
    </Panel>
  );
}
