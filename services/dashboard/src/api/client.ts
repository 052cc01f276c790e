/** The typed client of the API: every path, parameter and answer is checked against docs/openapi.json. */
import createClient from 'openapi-fetch';
import { fetchSignedIn } from '@/session/session.ts';
import { Problem, problemOf } from './problem.ts';
import type { components, paths } from './schema.d.ts';

export type Schema<Name extends keyof components['schemas']> = components['schemas'][Name];

export const api = createClient<paths>({ baseUrl: '', fetch: fetchSignedIn });
api.use({
  onResponse: async ({ response }) => {
    if (!response.ok) throw await problemOf(response);
  },
  onError: ({ error }) => {
    if (error instanceof DOMException && error.name === 'AbortError') return error;
    return error instanceof Problem ? error : new Problem(0, 'the gateway cannot be reached');
  },
});

/** The body of a good answer (never CSV, which only links ask for); every other one is a `Problem` that is thrown. */
export async function bodyOf<T>(asked: Promise<{ data?: T }>): Promise<Exclude<T, string | undefined>> {
  const { data } = await asked;
  if (data === undefined || typeof data === 'string') throw new Problem(0, 'the answer is empty');
  return data as Exclude<T, string | undefined>;
}
