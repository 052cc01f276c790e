/** The second factor: set up with a picture or by hand, confirmed with a code, removed with password and code. */
import { Button, Group, PasswordInput, Stack, Text, TextInput } from '@mantine/core';
import { useState } from 'react';
import { api, bodyOf, type Schema } from '@/api/client.ts';
import { text, useSending } from '@/pages/login/sending.ts';
import { Ago } from '@/parts/Ago.tsx';
import { FormWords } from '@/parts/FormWords.tsx';
import { Mark } from '@/parts/Mark.tsx';
import { Panel } from '@/parts/Panel.tsx';
import { Secret } from '@/parts/Secret.tsx';
import { lookAgain, useMe } from '@/session/session.ts';
import { QrCode } from './QrCode.tsx';
import classes from './Settings.module.css';

type NewFactor = Schema<'NewFactor'>;

function CodeField({ label = 'Code of the app' }: { label?: string }) {
  return <TextInput name="code" label={label} autoComplete="one-time-code" minLength={6} maxLength={40} required />;
}

function Begin({ onBegun }: { onBegun: (factor: NewFactor) => void }) {
  const { isSending, refusal, submit } = useSending(async (fields) => {
    const body = { password: text(fields, 'password') };
    onBegun(await bodyOf(api.POST('/api/auth/second-factor', { body })));
  });
  return (
    <form onSubmit={submit}>
      <Stack gap="sm">
        <Text size="sm">
          Without one you can look and reduce risk, but not raise it: resume, unlock, enter, change limits. Log-in never
          asks for it, so that a lost phone keeps nobody from flattening.
        </Text>
        <FormWords refusal={refusal} />
        <PasswordInput name="password" label="Your password" autoComplete="current-password" required />
        <div>
          <Button type="submit" loading={isSending}>
            Set up an authenticator app
          </Button>
        </div>
      </Stack>
    </form>
  );
}

function Confirm({ factor, onCodes }: { factor: NewFactor; onCodes: (codes: readonly string[]) => void }) {
  const { isSending, refusal, submit } = useSending(async (fields) => {
    const body = { code: text(fields, 'code').trim() };
    onCodes((await bodyOf(api.POST('/api/auth/second-factor/confirm', { body }))).recovery_codes);
    await lookAgain();
  });
  return (
    <form onSubmit={submit}>
      <div className={classes.factor}>
        <QrCode content={factor.uri} label="The secret as a QR code, for the camera of your authenticator app" />
        <Stack gap="sm">
          <Text size="sm">
            Point your app’s camera at the picture, or type the secret into it. Then give its first code.
          </Text>
          <Secret label="Secret, shown this once" value={factor.secret} />
          <FormWords refusal={refusal} />
          <CodeField />
          <div>
            <Button type="submit" loading={isSending}>
              Confirm
            </Button>
          </div>
        </Stack>
      </div>
    </form>
  );
}

function Recovery({ codes, onDone }: { codes: readonly string[]; onDone: () => void }) {
  return (
    <Stack gap="sm">
      <Text size="sm">
        Keep these where you find them without your phone. Each stands in for the app once, and they are shown this
        once.
      </Text>
      <ul className={classes.codes}>
        {codes.map((code) => (
          <li key={code}>
            <code>{code}</code>
          </li>
        ))}
      </ul>
      <Secret label="All of them" value={codes.join(' ')} />
      <div>
        <Button onClick={onDone}>I have kept them</Button>
      </div>
    </Stack>
  );
}

function InForce() {
  const me = useMe();
  const [isRemoving, setRemoving] = useState(false);
  const { isSending, refusal, submit } = useSending(async (fields) => {
    const body = { password: text(fields, 'password'), code: text(fields, 'code').trim() };
    await bodyOf(api.POST('/api/auth/second-factor/remove', { body }));
    await lookAgain();
  });
  return (
    <Stack gap="sm">
      <Group gap="sm">
        <Mark tone="good">in force</Mark>
        <Text size="sm" c="dimmed">
          {me.proven_until_ms === null ? (
            'no code was given in the last five minutes'
          ) : (
            <>
              given; counts until <Ago ms={me.proven_until_ms} />
            </>
          )}
        </Text>
      </Group>
      {!isRemoving ? (
        <div>
          <Button variant="default" onClick={() => setRemoving(true)}>
            Remove it …
          </Button>
        </div>
      ) : (
        <form onSubmit={submit}>
          <Stack gap="sm">
            <Text size="sm">Without it this account can no longer raise risk. Its recovery codes end too.</Text>
            <FormWords refusal={refusal} />
            <PasswordInput name="password" label="Your password" autoComplete="current-password" required />
            <CodeField label="Code of the app, or a recovery code" />
            <Group gap="xs">
              <Button type="submit" color="red" loading={isSending}>
                Remove the second factor
              </Button>
              <Button variant="default" onClick={() => setRemoving(false)}>
                Keep it
              </Button>
            </Group>
          </Stack>
        </form>
      )}
    </Stack>
  );
}

export function SecondFactor() {
  const me = useMe();
  const [factor, setFactor] = useState<NewFactor | null>(null);
  const [codes, setCodes] = useState<readonly string[] | null>(null);
  const finished = () => {
    setFactor(null);
    setCodes(null);
  };
  return (
    <Panel title="Second factor" isPadded note="for what raises risk">
      {codes !== null ? (
        <Recovery codes={codes} onDone={finished} />
      ) : me.second_factor ? (
        <InForce />
      ) : factor !== null ? (
        <Confirm factor={factor} onCodes={setCodes} />
      ) : (
        <Begin onBegun={setFactor} />
      )}
    </Panel>
  );
}
