/** `/register`: an account with an invite, which is good once. */
import { Alert, Anchor, Button, PasswordInput, Stack, TextInput } from '@mantine/core';
import { Link, useNavigate, useSearchParams } from 'react-router';
import { Problem } from '@/api/problem.ts';
import { Entrance, Hint } from '@/pages/login/Entrance.tsx';
import { text, useSending } from '@/pages/login/sending.ts';
import { register } from '@/session/session.ts';

const LEAST_PASSWORD = 12;

export default function Register() {
  const navigate = useNavigate();
  const [parameters] = useSearchParams();
  const { isSending, refusal, submit } = useSending(async (fields) => {
    if (text(fields, 'password') !== text(fields, 'again')) throw new Problem(400, 'the two passwords differ');
    await register(text(fields, 'code').trim(), text(fields, 'name').trim(), text(fields, 'password'));
    await navigate('/', { replace: true });
  });
  return (
    <Entrance title="Register">
      <form onSubmit={submit}>
        <Stack gap="md">
          {refusal !== null && (
            <Alert color="red" role="alert">
              {refusal}
            </Alert>
          )}
          <TextInput
            name="code"
            label="Invite"
            description="The code that an administrator gave you"
            defaultValue={parameters.get('code') ?? ''}
            autoComplete="off"
            required
          />
          <TextInput
            name="name"
            label="Name"
            description="2 to 32 small letters, digits, - and _, a letter first"
            pattern="[a-z][a-z0-9_\-]{1,31}"
            autoComplete="username"
            required
          />
          <PasswordInput
            name="password"
            label="Password"
            description={`${LEAST_PASSWORD} characters or more`}
            minLength={LEAST_PASSWORD}
            autoComplete="new-password"
            required
          />
          <PasswordInput name="again" label="The same again" autoComplete="new-password" required />
          <Button type="submit" loading={isSending} fullWidth>
            Register
          </Button>
        </Stack>
      </form>
      <Hint>
        No invite? An administrator makes one with <code>perpstream admin gen-invite</code>. Have an account:{' '}
        <Anchor size="sm" component={Link} to="/login">
          log in
        </Anchor>
        .
      </Hint>
    </Entrance>
  );
}
