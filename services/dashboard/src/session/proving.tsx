/** What needs a code of the second factor: it is done at once where one was given lately, else asked for, then done. */
import { Alert, Anchor, Box, Button, Group, Stack, Text, TextInput } from '@mantine/core';
import { type FormEvent, type ReactNode, useState } from 'react';
import { Link } from 'react-router';
import { api, bodyOf } from '@/api/client.ts';
import { Problem, sentenceOf } from '@/api/problem.ts';
import { useNow } from '@/format/now.ts';
import { Sheet } from '@/parts/Sheet.tsx';
import { lookAgain, useMe } from './session.ts';

const NEEDED = 'second-factor-needed';

/** Give a code: for five minutes this session may do what raises risk. Raises `Problem`. */
export async function prove(code: string): Promise<void> {
  await bodyOf(api.POST('/api/auth/second-factor/proof', { body: { code: code.trim() } }));
  await lookAgain();
}

export function isProofNeeded(error: unknown): boolean {
  return error instanceof Problem && error.kind === NEEDED;
}

interface Waiting {
  what: string;
  again: () => Promise<void>;
  settle: (error: Error | null) => void;
}

interface Proving {
  /** Do it; raises what the gateway says, also when the person gives no code after all. */
  run: (what: string, action: () => Promise<void>) => Promise<void>;
  /** Stands somewhere on the page. */
  dialog: ReactNode;
}

interface DialogProps {
  waiting: Waiting;
  onDone: () => void;
}

function SetUpFirst() {
  return (
    <Text size="sm" role="alert">
      ▲ This needs a second factor, and you have none:{' '}
      <Anchor size="sm" component={Link} to="/settings">
        set one up
      </Anchor>{' '}
      first.
    </Text>
  );
}

/** Whether a code is to be given: none of the last five minutes is in force. */
export function useIsProven(): boolean {
  const { proven_until_ms } = useMe();
  const now = useNow();
  return proven_until_ms !== null && proven_until_ms >= now;
}

/** Where the code is typed; who has no second factor is told where to set one up. */
export function CodeField({ code, onCode }: { code: string; onCode: (code: string) => void }) {
  if (!useMe().second_factor) return <SetUpFirst />;
  return (
    <TextInput
      label="Code of your authenticator app"
      description="Or a recovery code. It counts for five minutes."
      value={code}
      onChange={(event) => onCode(event.currentTarget.value)}
      autoComplete="one-time-code"
      data-autofocus=""
      required
      minLength={6}
    />
  );
}

function ProofForm({ waiting, onDone }: DialogProps) {
  const [code, setCode] = useState('');
  const [refusal, setRefusal] = useState<string | null>(null);
  const [isSending, setSending] = useState(false);
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setSending(true);
    try {
      await prove(code);
    } catch (error) {
      setRefusal(sentenceOf(error));
      setSending(false);
      return;
    }
    await waiting.again().then(
      () => waiting.settle(null),
      (error: unknown) => waiting.settle(error instanceof Error ? error : new Error(sentenceOf(error))),
    );
    onDone();
  };
  return (
    <form onSubmit={(event) => void submit(event)}>
      <Stack gap="sm">
        <Text size="sm">{waiting.what}: this needs a code.</Text>
        {refusal !== null && (
          <Alert color="red" role="alert">
            {refusal}
          </Alert>
        )}
        <CodeField code={code} onCode={setCode} />
        <Group justify="flex-end">
          <Button type="submit" loading={isSending}>
            Go on
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

export function useProving(): Proving {
  const { second_factor } = useMe();
  const [waiting, setWaiting] = useState<Waiting | null>(null);
  const run = async (what: string, action: () => Promise<void>) => {
    try {
      await action();
    } catch (error) {
      if (!isProofNeeded(error)) throw error;
      await new Promise<void>((resolve, reject) => {
        const settle = (failure: Error | null) => (failure === null ? resolve() : reject(failure));
        setWaiting({ what, again: action, settle });
      });
    }
  };
  const leave = () => {
    waiting?.settle(new Problem(0, 'no code was given: nothing has changed'));
    setWaiting(null);
  };
  const dialog = waiting !== null && (
    <Sheet title="Second factor" onClose={leave}>
      <Box p="sm">
        {second_factor ? <ProofForm waiting={waiting} onDone={() => setWaiting(null)} /> : <SetUpFirst />}
      </Box>
    </Sheet>
  );
  return { run, dialog };
}
