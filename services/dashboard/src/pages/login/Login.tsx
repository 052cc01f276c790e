/** `/login`: name and password, then back to where one wanted to go. A lost phone never keeps anybody from here. */
import { Alert, Anchor, Button, PasswordInput, Stack, TextInput } from '@mantine/core';
import { useState } from 'react';
import { Link, useNavigate, useSearchParams } from 'react-router';
import { sentenceOf } from '@/api/problem.ts';
import { safeNext } from '@/app/next.ts';
import { logIn, lookAround, useSession } from '@/session/session.ts';
import { Entrance, Hint } from './Entrance.tsx';
import { text, useSending } from './sending.ts';

export default function Login() {
  const session = useSession();
  const navigate = useNavigate();
  const [parameters] = useSearchParams();
  const next = safeNext(parameters.get('next'));
  const { isSending, refusal, submit } = useSending(async (fields) => {
    await logIn(text(fields, 'name').trim(), text(fields, 'password'));
    await navigate(next, { replace: true });
  });
  const [noViewer, setNoViewer] = useState<string | null>(null);
  const look = () =>
    lookAround()
      .then(() => navigate(next, { replace: true }))
      .catch((error: unknown) => setNoViewer(sentenceOf(error)));
  const why = session.kind === 'out' ? session.why : null;
  return (
    <Entrance title="Perpstream">
      <form onSubmit={submit}>
        <Stack gap="md">
          {why !== null && <Alert color="yellow">{why}: log in again</Alert>}
          {refusal !== null && (
            <Alert color="red" role="alert">
              {refusal}
            </Alert>
          )}
          <TextInput name="name" label="Name" autoComplete="username" required data-autofocus autoFocus />
          <PasswordInput name="password" label="Password" autoComplete="current-password" required />
          <Button type="submit" loading={isSending} fullWidth>
            Log in
          </Button>
        </Stack>
      </form>
      <Hint>
        With an invite:{' '}
        <Anchor size="sm" component={Link} to="/register">
          register
        </Anchor>
        . A demonstration needs no account:{' '}
        <Anchor size="sm" component="button" type="button" onClick={() => void look()}>
          look around as the local viewer
        </Anchor>
        {noViewer !== null && <output> ({noViewer})</output>}
      </Hint>
    </Entrance>
  );
}
