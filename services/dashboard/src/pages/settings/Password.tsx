/** Another password, which ends every other session and, unless one keeps them, the API tokens. */
import { Button, Checkbox, PasswordInput, Stack } from '@mantine/core';
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
    const keep_tokens = fields.get('keep') !== null;
    const body = { old_password: text(fields, 'old'), new_password: text(fields, 'new'), keep_tokens };
    const { ended, tokens_ended } = await bodyOf(api.POST('/api/auth/password', { body }));
    setDone(`Changed. Ended: other sessions ${ended}, API tokens ${tokens_ended}.`);
    form.current?.reset();
    await client.invalidateQueries({ queryKey: ['own'] });
  });
  return (
    <Panel title="Password" isPadded note="changing it ends every other session and your API tokens">
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
          <Checkbox
            size="xs"
            name="keep"
            label="My API tokens go on"
            description="Whoever made one with the old password keeps it"
          />
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
