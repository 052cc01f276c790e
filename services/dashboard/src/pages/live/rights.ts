/** What whoever is signed in may tell guard and executor, and in words why not. */
import { useMe } from '@/session/session.ts';

export interface Rights {
  mayTrade: boolean;
  mayConfigure: boolean;
  /** Null: everything is allowed. */
  why: string | null;
}

export function rightsOf(role: 'viewer' | 'trader' | 'admin', isLocalViewer: boolean): Rights {
  const mayTrade = role !== 'viewer';
  const mayConfigure = role === 'admin';
  const who = isLocalViewer ? 'the local viewer sees everything and changes nothing' : `you are a ${role}`;
  const why = mayConfigure ? null : mayTrade ? `${who}: limits are changed by an admin` : `${who}: log in as a trader`;
  return { mayTrade, mayConfigure, why };
}

export function useRights(): Rights {
  const me = useMe();
  return rightsOf(me.role, me.is_local_viewer);
}
