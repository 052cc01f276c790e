/** Where a person tells guard or executor something: what it will do, a typed word, a code where it raises risk, and what became of it. */
import { Button, TextInput } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { type FormEvent, type ReactNode, useState } from 'react';
import { sentenceOf } from '@/api/problem.ts';
import { useNow } from '@/format/now.ts';
import { Sheet } from '@/parts/Sheet.tsx';
import { CodeField, isProofNeeded, useIsProven } from '@/session/proving.tsx';
import classes from './CommandSheet.module.css';
import { ASK_AGAIN_MS, askCommand, type CommandState, isCertain, Keys, useTelling } from './telling.ts';

export interface CommandSheetProps {
  title: string;
  /** What it does, in numbers where there are some. */
  effect: ReactNode;
  /** On the button. */
  action: string;
  /** A word that must be typed. */
  confirmation?: string | undefined;
  /** Whether it raises risk, and so needs a code that is not older than five minutes. */
  raisesRisk?: boolean;
  tone?: 'danger' | 'neutral';
  /** Fields of its own. */
  children?: ReactNode;
  /** Whether what is asked for can be meant; the sentence says why not. */
  trouble?: string | null;
  content: unknown;
  send: (key: string, words: { confirmation: string; reason: string }) => Promise<CommandState>;
  onClose: () => void;
  /** What takes it back, offered once it is carried out; only where that is honest. */
  undo?: Undo | undefined;
}

export interface Undo {
  /** On the button: it opens the sheet that does it. */
  action: string;
  onUndo: () => void;
}

/** The answer, and where it has not come yet, what is heard of it later. */
function useAnswer(first: CommandState | undefined): CommandState | undefined {
  const isOpen = first?.state === 'unknown';
  const later = useQuery({
    queryKey: ['command', first?.command_id],
    queryFn: () => askCommand(first?.command_id ?? ''),
    enabled: isOpen,
    refetchInterval: ({ state }) => (state.data === undefined || state.data.state === 'unknown' ? ASK_AGAIN_MS : false),
    staleTime: 0,
  });
  return isOpen ? (later.data ?? first) : first;
}

/** What became of it, in the words of whoever was told. */
export function Outcome({ answer }: { answer: CommandState }) {
  const now = useNow();
  const details = Object.entries(answer.details);
  const waiting =
    now < answer.expires_ms
      ? 'No answer yet. It is asked for again each second; do not say it anew, it may still be obeyed.'
      : 'Nobody has answered in time: look at the account before you say it again.';
  return (
    <div className={classes.outcome} data-outcome={answer.state} role="status">
      <strong>
        {answer.state === 'unknown' ? 'On its way. ' : answer.state === 'accepted' ? 'Done. ' : 'Refused. '}
      </strong>
      {answer.state === 'unknown' ? waiting : answer.result}
      {details.length > 0 && (
        <dl className={classes.details}>
          {details.map(([name, value]) => (
            <div key={name} style={{ display: 'contents' }}>
              <dt>{name.replaceAll('_', ' ')}</dt>
              <dd>{value}</dd>
            </div>
          ))}
        </dl>
      )}
    </div>
  );
}

interface FormState {
  typed: string;
  code: string;
  reason: string;
}

function Refusal({ error }: { error: unknown }) {
  if (error === null) return null;
  return (
    <p className={classes.outcome} data-outcome={isCertain(error) ? 'refused' : 'unknown'} role="alert">
      {sentenceOf(error)}
      {!isCertain(error) && '. Whether it was heard is not known; sending it again is safe, it is carried out once.'}
    </p>
  );
}

function CommandForm(props: CommandSheetProps) {
  const { confirmation, raisesRisk = false, trouble = null, content } = props;
  const [keys] = useState(() => new Keys());
  const [form, setForm] = useState<FormState>({ typed: '', code: '', reason: '' });
  const telling = useTelling(keys);
  const isProven = useIsProven();
  const isProofMissing = (raisesRisk && !isProven) || isProofNeeded(telling.error);
  const answer = useAnswer(telling.data);
  const isTyped = confirmation === undefined || form.typed.trim().toLowerCase() === confirmation.toLowerCase();
  const isReady = isTyped && trouble === null && (!isProofMissing || form.code.trim() !== '');
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (!isReady || telling.isPending) return;
    const words = { confirmation: form.typed, reason: form.reason };
    const code = isProofMissing ? form.code.trim() : null;
    telling.mutate({ content, send: (key) => props.send(key, words), code });
  };
  if (answer !== undefined) {
    return (
      <div className={classes.body}>
        <Outcome answer={answer} />
        <div className={classes.buttons}>
          {answer.state === 'accepted' && props.undo !== undefined && (
            <Button size="xs" variant="subtle" onClick={props.undo.onUndo}>
              {props.undo.action}
            </Button>
          )}
          <Button size="xs" variant="default" onClick={props.onClose} data-autofocus="">
            Close
          </Button>
        </div>
      </div>
    );
  }
  return (
    <form className={classes.body} onSubmit={submit}>
      <div className={classes.effect}>{props.effect}</div>
      {props.children}
      {confirmation !== undefined && (
        <TextInput
          label={`To confirm, type: ${confirmation}`}
          value={form.typed}
          onChange={(event) => setForm({ ...form, typed: event.currentTarget.value })}
          autoComplete="off"
          autoCapitalize="off"
          spellCheck={false}
        />
      )}
      {isProofMissing && <CodeField code={form.code} onCode={(code) => setForm({ ...form, code })} />}
      <TextInput
        label="Reason"
        description="Stands in the log beside your name."
        value={form.reason}
        maxLength={200}
        // What is sent again must be the same, so that it is carried out once.
        disabled={telling.error !== null && !isCertain(telling.error)}
        onChange={(event) => setForm({ ...form, reason: event.currentTarget.value })}
      />
      {trouble !== null && <p className={classes.effect}>▲ {trouble}</p>}
      <Refusal error={telling.error} />
      <div className={classes.buttons}>
        <Button size="xs" variant="default" onClick={props.onClose}>
          Cancel
        </Button>
        <Button
          size="xs"
          type="submit"
          color={props.tone === 'danger' ? 'red.9' : undefined}
          disabled={!isReady}
          loading={telling.isPending}
        >
          {props.action}
        </Button>
      </div>
    </form>
  );
}

export function CommandSheet(props: CommandSheetProps) {
  return (
    <Sheet title={props.title} tone={props.tone} onClose={props.onClose}>
      <CommandForm {...props} />
    </Sheet>
  );
}
