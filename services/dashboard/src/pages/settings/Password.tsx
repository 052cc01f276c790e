/** Another password, which ends every other session. */
import { Button, PasswordInput, Stack } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { useRef, useState } from 'react';
import { api, bodyOf } from '@/api/client.ts';
import { Problem } from '@/api/problem.ts';
import { text, useSending } from '@/pages/login/sending.ts';
import { FormWords } from '@/parts/FormWords.tsx';
import { Panel } from '@/parts/Panel.tsx';

const LEAST = 12;

export function Password() {
  const form = useRef<HTMLFormElement>(null);
  const client = useQueryClient();
  const [done, setDone] = useState<string | null>(null);
  const { isSending, refusal, submit } = useSending(async (fields) => {
    setDone(null);
    if (text(fields, 'new') !== text(fields, 'again')) throw new Problem(400, 'the two new passwords differ');
    const body = { old_password: text(fields, 'old'), new_password: text(fields, 'new') };
    const { ended } = await bodyOf(api.POST('/api/auth/password', { body }));
    setDone(`Changed. ${ended === 1 ? 'One other session has' : `${ended} other sessions have`} ended.`);
    form.current?.reset();
    await client.invalidateQueries({ queryKey: ['own'] });
  });
  return (
    <Panel title="Password" isPadded note="changing it ends every other session">
      <form onSubmit={submit} ref={form}>
        <Stack gap="sm">
          <FormWords refusal={refusal} done={done} />
          <PasswordInput name="old" label="Password now" autoComplete="current-password" required />
          <PasswordInput
            name="new"
            label={`New password, ${LEAST} characters or more`}
            minLength={LEAST}
            autoComplete="new-password"
            required
          />
          <PasswordInput name="again" label="The same again" autoComplete="new-password" required />
          <div>
            <Button type="submit" loading={isSending}>
              Change the password
            </Button>
          </div>
        </Stack>
      </form>
    </Panel>
  );
}
