/** A change by an administrator: done, or refused with a sentence; then everything is asked anew. */
import { useQueryClient } from '@tanstack/react-query';
import { type ReactNode, useState } from 'react';
import { sentenceOf } from '@/api/problem.ts';
import { useProving } from '@/session/proving.tsx';

/** `what`: in words, as they stand when it is done. */
export type Doing = (what: string, action: () => Promise<void>) => void;

interface UsedDoing {
  doing: Doing;
  refusal: string | null;
  done: string | null;
  dialog: ReactNode;
}

export function useDoing(): UsedDoing {
  const client = useQueryClient();
  const { run, dialog } = useProving();
  const [words, setWords] = useState<{ refusal: string | null; done: string | null }>({ refusal: null, done: null });
  const doing: Doing = (what, action) => {
    setWords({ refusal: null, done: null });
    run(what, action)
      .then(() => setWords({ refusal: null, done: what }))
      .catch((error: unknown) => setWords({ refusal: sentenceOf(error), done: null }))
      .finally(() =>
        Promise.all(['users', 'invites', 'audit'].map((key) => client.invalidateQueries({ queryKey: [key] }))),
      );
  };
  return { doing, ...words, dialog };
}
