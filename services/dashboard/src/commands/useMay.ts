/** Whether whoever is signed in may do something: buttons that would be refused are not shown as if they worked. */
import { useMe } from '@/session/session.ts';

type Scope = 'read' | 'trade' | 'administer';

export function useMay(scope: Scope): boolean {
  return useMe().scopes.includes(scope);
}
