/** What a person has chosen for this browser: kept in its local storage, and told to every component that shows it. */
import { useSyncExternalStore } from 'react';
import type { Zone } from '@/format/time.ts';

export interface Preferences {
  /** Green and red, or a pair that people tell apart who see no difference between those. */
  pair: 'classic' | 'blind-safe';
  zone: Zone;
  rail: 'wide' | 'narrow';
  /** What the charts of all pages show. */
  symbol: string | null;
}

const KEY = 'perpstream.preferences';
const SHIPPED: Preferences = { pair: 'classic', zone: 'utc', rail: 'wide', symbol: null };
const listeners = new Set<() => void>();

function read(): Preferences {
  try {
    return { ...SHIPPED, ...(JSON.parse(localStorage.getItem(KEY) ?? '{}') as Partial<Preferences>) };
  } catch {
    return SHIPPED; // nothing is kept here, or it is damaged
  }
}

let now = read();

function apply(): void {
  document.documentElement.dataset.pair = now.pair;
}

function tell(): void {
  apply();
  for (const listener of listeners) listener();
}

/** Change some of them, here and in the other tabs. */
export function prefer(changes: Partial<Preferences>): void {
  now = { ...now, ...changes };
  try {
    localStorage.setItem(KEY, JSON.stringify(now));
  } catch {
    // It holds for this page then.
  }
  tell();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** What is chosen now. */
export function preferences(): Preferences {
  return now;
}

/** What is chosen now; renders again when it changes. */
export function usePreferences(): Preferences {
  return useSyncExternalStore(subscribe, preferences);
}

/** Once, before the first paint. */
export function beginPreferences(): void {
  apply();
  window.addEventListener('storage', (event) => {
    if (event.key !== KEY) return;
    now = read();
    tell();
  });
}
