/** Questions and changes of administrators. */
import { queryOptions } from '@tanstack/react-query';
import { api, bodyOf, type Schema } from '@/api/client.ts';

export type User = Schema<'UserAnswer'>;
export type Invite = Schema<'InviteAnswer'>;
export type AuditRow = Schema<'AuditRow'>;
export type Role = User['role'];
export const ROLES: readonly Role[] = ['viewer', 'trader', 'admin'];

export const askUsers = queryOptions({
  queryKey: ['users'],
  queryFn: ({ signal }) => bodyOf(api.GET('/api/users', { signal })),
});

export const askInvites = queryOptions({
  queryKey: ['invites'],
  queryFn: ({ signal }) => bodyOf(api.GET('/api/invites', { signal })),
});

export const askAudit = queryOptions({
  queryKey: ['audit'],
  queryFn: ({ signal }) => bodyOf(api.GET('/api/audit', { params: { query: { limit: 100 } }, signal })),
  refetchInterval: 10_000,
});

export async function ban(name: string): Promise<void> {
  await bodyOf(api.POST('/api/users/{name}/ban', { params: { path: { name } } }));
}

export async function unban(name: string): Promise<void> {
  await bodyOf(api.POST('/api/users/{name}/unban', { params: { path: { name } } }));
}

export async function setRole(name: string, role: Role): Promise<void> {
  await bodyOf(api.POST('/api/users/{name}/role', { params: { path: { name } }, body: { role } }));
}

export async function revokeInvite(code_id: string): Promise<void> {
  await bodyOf(api.DELETE('/api/invites/{code_id}', { params: { path: { code_id } } }));
}

/** The address at which the invited one registers. */
export function invitation(origin: string, code: string): string {
  return `${origin}/register?code=${encodeURIComponent(code)}`;
}

/** What a change has changed, in one line: `risk_per_trade 5 → 8`. A command says how things stood and what was asked, which have
 * no name in common: `paused false → command_id …`. */
export function differenceOf(before: unknown, after: unknown): string {
  const parts = (value: unknown): Record<string, unknown> =>
    typeof value === 'object' && value !== null
      ? (value as Record<string, unknown>)
      : value === null
        ? {}
        : { '': value };
  const old = parts(before);
  const now = parts(after);
  const write = (value: unknown) => (typeof value === 'object' ? JSON.stringify(value) : String(value));
  const isAsked =
    Object.keys(old).length > 0 && Object.keys(now).length > 0 && !Object.keys(old).some((name) => name in now);
  if (isAsked) {
    const say = (value: Record<string, unknown>) => Object.keys(value).map((name) => `${name} ${write(value[name])}`);
    return `${say(old).join(', ')} → ${say(now).join(', ')}`;
  }
  const names = [...new Set([...Object.keys(old), ...Object.keys(now)])];
  return names
    .filter((name) => JSON.stringify(old[name]) !== JSON.stringify(now[name]))
    .map((name) => {
      const was = name in old ? `${write(old[name])} → ` : '';
      return `${name === '' ? '' : `${name} `}${was}${name in now ? write(now[name]) : 'nothing'}`;
    })
    .join(', ');
}
