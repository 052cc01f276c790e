/**
 * Doing something: its effect in numbers first, a word to type where it cannot be undone, a code of the app where it raises risk. It stands
 * at the side, so that no price is hidden, and says what was answered by whom.
 */
import { Alert, Button, Drawer, Stack, Text, TextInput } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { useQueryClient } from '@tanstack/react-query';
import { type FormEvent, type ReactNode, useState } from 'react';
import { Link } from 'react-router';
import { api, bodyOf } from '@/api/client.ts';
import { Problem, sentenceOf } from '@/api/problem.ts';
import { lookAgain, useMe } from '@/session/session.ts';

const NEEDS_FACTOR = 'second-factor-needed';

export interface Said {
  /** What was typed, for the API to compare. */
  confirmation: string;
  /** Why, for those who look at it later. */
  reason: string;
  /** The same for every try of one opening: a second click is the same command. */
  idempotencyKey: string;
}

export interface CommandDialogProps {
  isOpen: boolean;
  onClose: () => void;
  title: string;
  /** What it would do, in numbers. */
  effect: ReactNode;
  /** The words to type; without them a click is enough. */
  confirmation?: string;
  /** Asks for the second factor where it has not been proven in the last minutes. */
  raisesRisk?: boolean;
  action: string;
  /** Says it; the answer is the sentence to show. Raises `Problem`. */
  say: (said: Said) => Promise<string>;
}

function useProof(raisesRisk: boolean) {
  const me = useMe();
  const isProven = me.proven_until_ms !== null && me.proven_until_ms > Date.now();
  const [isAsked, setAsked] = useState(false);
  const needsCode = (raisesRisk && !isProven) || isAsked;
  const prove = async (code: string) => {
    await bodyOf(api.POST('/api/auth/second-factor/proof', { body: { code } }));
    await lookAgain();
    setAsked(false);
  };
  return { hasFactor: me.second_factor, needsCode, prove, askForCode: () => setAsked(true) };
}

function NoFactor() {
  return (
    <Alert color="yellow">
      This raises risk and needs a second factor. Set one up in <Link to="/settings">the settings</Link> first.
    </Alert>
  );
}

interface FieldsProps {
  confirmation: string | undefined;
  needsCode: boolean;
  typed: string;
  onTyped: (text: string) => void;
}

function Fields({ confirmation, needsCode, typed, onTyped }: FieldsProps) {
  return (
    <>
      {confirmation !== undefined && (
        <TextInput
          label={
            <>
              Type <code>{confirmation}</code>
            </>
          }
          value={typed}
          onChange={(event) => onTyped(event.currentTarget.value)}
          autoComplete="off"
          data-autofocus
        />
      )}
      {needsCode && (
        <TextInput
          name="code"
          label="Code of your authenticator app"
          description="Or a recovery code. It counts once, and then for five minutes."
          autoComplete="one-time-code"
          required
        />
      )}
      <TextInput name="reason" label="Why (for those who look at it later)" autoComplete="off" maxLength={200} />
    </>
  );
}

function Form({ onClose, effect, confirmation, raisesRisk = false, action, say }: CommandDialogProps) {
  const [idempotencyKey] = useState(() => crypto.randomUUID());
  const [typed, setTyped] = useState('');
  const [isSaying, setSaying] = useState(false);
  const [refusal, setRefusal] = useState<string | null>(null);
  const questions = useQueryClient();
  const { hasFactor, needsCode, prove, askForCode } = useProof(raisesRisk);

  const run = async (fields: FormData) => {
    if (needsCode) await prove(String(fields.get('code') ?? '').trim());
    const words = await say({ confirmation: typed.trim(), reason: String(fields.get('reason') ?? ''), idempotencyKey });
    notifications.show({ title: action, message: words, color: 'teal' });
    onClose();
    await questions.invalidateQueries();
  };
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    if (isSaying) return;
    setSaying(true);
    setRefusal(null);
    run(new FormData(event.currentTarget))
      .catch((error: unknown) => {
        if (error instanceof Problem && error.kind === NEEDS_FACTOR) askForCode();
        setRefusal(sentenceOf(error));
      })
      .finally(() => setSaying(false));
  };
  const isTyped = confirmation === undefined || typed.trim() === confirmation;
  return (
    <form onSubmit={submit}>
      <Stack gap="md">
        <Text size="sm" component="div">
          {effect}
        </Text>
        {needsCode && !hasFactor ? (
          <NoFactor />
        ) : (
          <Fields confirmation={confirmation} needsCode={needsCode} typed={typed} onTyped={setTyped} />
        )}
        {refusal !== null && (
          <Alert color="red" role="alert">
            {refusal}
          </Alert>
        )}
        <Button
          type="submit"
          loading={isSaying}
          disabled={!isTyped || (needsCode && !hasFactor)}
          color={raisesRisk ? 'orange' : 'accent'}
        >
          {action}
        </Button>
      </Stack>
    </form>
  );
}

export function CommandDialog(props: CommandDialogProps) {
  return (
    <Drawer
      opened={props.isOpen}
      onClose={props.onClose}
      title={props.title}
      position="right"
      size={380}
      withOverlay={false}
    >
      {props.isOpen && <Form {...props} />}
    </Drawer>
  );
}
