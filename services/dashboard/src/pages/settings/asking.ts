/** What a person asks about the own account. */
import { queryOptions } from '@tanstack/react-query';
import { api, bodyOf } from '@/api/client.ts';

export const askSessions = queryOptions({
  queryKey: ['own', 'sessions'],
  queryFn: ({ signal }) => bodyOf(api.GET('/api/auth/sessions', { signal })),
});

export const askTokens = queryOptions({
  queryKey: ['own', 'tokens'],
  queryFn: ({ signal }) => bodyOf(api.GET('/api/auth/tokens', { signal })),
});
