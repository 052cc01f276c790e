/** A form on its way: one at a time, with the gateway's sentence when it is refused. */
import { type FormEvent, useState } from 'react';
import { Problem, sentenceOf } from '@/api/problem.ts';

interface Sending {
  isSending: boolean;
  refusal: string | null;
  submit: (event: FormEvent<HTMLFormElement>) => void;
}

function words(error: unknown): string {
  const wait = error instanceof Problem ? error.retryAfter : null;
  return wait === null ? sentenceOf(error) : `${sentenceOf(error)} (${wait} s)`;
}

/** `send` gets the form's fields and raises what the gateway says. */
export function useSending(send: (fields: FormData) => Promise<void>): Sending {
  const [isSending, setSending] = useState(false);
  const [refusal, setRefusal] = useState<string | null>(null);
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    if (isSending) return;
    setSending(true);
    setRefusal(null);
    send(new FormData(event.currentTarget))
      .catch((error: unknown) => setRefusal(words(error)))
      .finally(() => setSending(false));
  };
  return { isSending, refusal, submit };
}

/** A field as text. */
export function text(fields: FormData, name: string): string {
  const value = fields.get(name);
  return typeof value === 'string' ? value : '';
}
