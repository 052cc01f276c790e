/** Commands to guard and executor: said once, whatever breaks between; an answer that does not come is asked for, never said anew. */
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { api, bodyOf, type Schema } from '@/api/client.ts';
import { Problem } from '@/api/problem.ts';
import { isProofNeeded, prove } from '@/session/proving.tsx';

export type CommandState = Schema<'CommandState'>;

/** How long is waited before an answer is asked for again, ms. */
export const ASK_AGAIN_MS = 1_000;

/** What is to be said. `send` gets the key under which it is said once only. */
export interface Telling {
  /** Says what is sent: the same is the same command, also when it is sent again. */
  content: unknown;
  send: (key: string) => Promise<CommandState>;
}

/** One key for the same content, another one as soon as it is other content (the gateway refuses a key that is used for two things). */
export class Keys {
  readonly #make: () => string;
  #last: { content: string; key: string } | null = null;

  constructor(make: () => string = () => crypto.randomUUID()) {
    this.#make = make;
  }

  keyOf(content: unknown): string {
    const text = JSON.stringify(content);
    if (this.#last?.content !== text) this.#last = { content: text, key: this.#make() };
    return this.#last.key;
  }

  /** It is over: the same again is meant as another command. */
  forget(): void {
    this.#last = null;
  }
}

/** Whether a refusal leaves no doubt that nothing has happened: a try that was cut off on its way does. */
export function isCertain(error: unknown): boolean {
  return error instanceof Problem && error.status >= 400 && error.status < 500;
}

/** What became of a command that had no answer yet. */
export function askCommand(commandId: string): Promise<CommandState> {
  return bodyOf(api.GET('/api/commands/{command_id}', { params: { path: { command_id: commandId } } }));
}

export interface Meant extends Telling {
  /** To be given first; null: none is needed, or one was given a moment ago. */
  code: string | null;
}

/** Say it; what everybody shows of the account is asked anew afterwards. */
export function useTelling(keys: Keys) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: async ({ content, send, code }: Meant) => {
      if (code !== null) await prove(code);
      return send(keys.keyOf(content));
    },
    onSuccess: () => keys.forget(),
    onError: (error) => {
      if (isCertain(error) && !isProofNeeded(error)) keys.forget();
    },
    onSettled: () => {
      for (const first of ['live', 'risk']) void client.invalidateQueries({ queryKey: [first] });
    },
  });
}
