/**
 * Who is signed in. Tokens are cookies that no script reads; here is only what the page must know: who, until when the access is
 * good, and that a refused request is worth asking again after a refresh.
 */
import { useSyncExternalStore } from 'react';
import { Problem, problemOf } from '@/api/problem.ts';
import type { components } from '@/api/schema.d.ts';

export type Me = components['schemas']['Me'];
type SignedIn = components['schemas']['SignedIn'];

export type Session =
  | { kind: 'unknown' }
  | { kind: 'unreachable'; why: string }
  | { kind: 'out'; why: string | null }
  | { kind: 'in'; me: Me };

const LEFT = 'perpstream.left';
/** The access is renewed when so much of its time is over. */
const RENEW_AT = 0.8;
/** An access that ends sooner than this is renewed before something long begins with it. */
const MARGIN_MS = 15_000;
const AGAIN_MS = 2_000;
const listeners = new Set<() => void>();
let now: Session = { kind: 'unknown' };
let accessUntil = 0;
let renewal: Promise<boolean> | null = null;
let timer: ReturnType<typeof setTimeout> | undefined;

function become(session: Session): void {
  now = session;
  for (const listener of listeners) listener();
}

/** Send JSON, without any second try. */
async function post(path: string, body: unknown = {}): Promise<Response> {
  const init = { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) };
  return fetch(path, init).catch(() => {
    throw new Problem(0, 'the gateway cannot be reached');
  });
}

function keepAccess(seconds: number): void {
  accessUntil = Date.now() + seconds * 1_000;
  clearTimeout(timer);
  timer = setTimeout(() => void renew().catch(() => keepTrying()), seconds * 1_000 * RENEW_AT);
}

function keepTrying(): void {
  clearTimeout(timer);
  timer = setTimeout(() => void renew().catch(() => keepTrying()), AGAIN_MS);
}

async function opened(answer: Response): Promise<boolean> {
  if (answer.ok) {
    keepAccess(((await answer.json()) as SignedIn).access_seconds);
    return true;
  }
  if (answer.status >= 500 || answer.status === 429) throw await problemOf(answer);
  return false;
}

async function renewed(): Promise<boolean> {
  const answer = await post('/api/auth/refresh');
  // Another tab was faster: its cookie is ours too.
  if (answer.status === 409) {
    accessUntil = Date.now() + 2 * MARGIN_MS;
    return true;
  }
  if (await opened(answer)) return true;
  const wasIn = now.kind === 'in';
  // Whose own session has ended is told so, and does not go on as somebody else.
  const wasPerson = now.kind === 'in' && !now.me.is_local_viewer;
  const mayLook = !wasPerson && localStorage.getItem(LEFT) === null;
  if (mayLook && (await opened(await post('/api/auth/local')))) return true;
  clearTimeout(timer);
  become({ kind: 'out', why: wasIn ? 'your session has ended' : null });
  return false;
}

/** New tokens; once for all who ask meanwhile. False: nobody is signed in. Raises `Problem` when the gateway does not answer. */
export function renew(): Promise<boolean> {
  renewal ??= renewed().finally(() => {
    renewal = null;
  });
  return renewal;
}

/** A session that is good for a while; `rejected`: the one we had is not. */
export async function goodSession(rejected: boolean): Promise<boolean> {
  if (!rejected && accessUntil - Date.now() > MARGIN_MS) return true;
  return renew();
}

/** `fetch`, and once more after a refresh when the access has ended. */
export async function fetchSignedIn(request: Request): Promise<Response> {
  const again = request.clone();
  const answer = await fetch(request);
  if (answer.status !== 401 || now.kind !== 'in') return answer;
  return (await renew()) ? fetch(again) : answer;
}

/** Ask again who this is: after a proof, a change of role, or at the start. */
export async function lookAgain(): Promise<void> {
  let answer = await fetch('/api/auth/me').catch(() => null);
  if (answer?.status === 401 && (await renew().catch(() => null))) answer = await fetch('/api/auth/me');
  if (answer?.ok) {
    if (accessUntil === 0) keepAccess(60); // how long it is good, only a refresh says
    become({ kind: 'in', me: (await answer.json()) as Me });
  } else if (now.kind !== 'out' && now.kind !== 'in') {
    become({ kind: 'unreachable', why: answer === null ? 'it cannot be reached' : (await problemOf(answer)).message });
  }
}

/** At the start: until somebody is known, or known to be nobody. */
export async function beginSession(): Promise<void> {
  await lookAgain();
  if (now.kind === 'unreachable') setTimeout(() => void beginSession(), AGAIN_MS);
}

async function entered(path: string, body: unknown): Promise<void> {
  const answer = await post(path, body);
  if (!answer.ok) throw await problemOf(answer);
  localStorage.removeItem(LEFT);
  await opened(answer);
  await lookAgain();
}

/** Raises `Problem` with the gateway's sentence. */
export function logIn(name: string, password: string): Promise<void> {
  return entered('/api/auth/login', { name, password });
}

/** A new account with an invite; signed in at once. Raises `Problem`. */
export function register(code: string, name: string, password: string): Promise<void> {
  return entered('/api/auth/register', { code, name, password });
}

/** The viewer of a demonstration. Raises `Problem` where there is none. */
export function lookAround(): Promise<void> {
  return entered('/api/auth/local', {});
}

/** End this session, or all of this person's. Raises `Problem` when the gateway does not answer. */
export async function logOut(everywhere = false): Promise<void> {
  const answer = await post(everywhere ? '/api/auth/logout-all' : '/api/auth/logout');
  if (!answer.ok && answer.status !== 401) throw await problemOf(answer);
  localStorage.setItem(LEFT, 'yes'); // a demonstration does not sign in again who has just left
  clearTimeout(timer);
  accessUntil = 0;
  become({ kind: 'out', why: null });
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function session(): Session {
  return now;
}

export function useSession(): Session {
  return useSyncExternalStore(subscribe, session);
}

/** Told at every change of it. */
export function onSession(listener: () => void): () => void {
  return subscribe(listener);
}

/** Whoever is signed in, where that is certain: below the frame. Raises for a page outside of it. */
export function useMe(): Me {
  const current = useSession();
  if (current.kind !== 'in') throw new Error('nobody is signed in here');
  return current.me;
}
