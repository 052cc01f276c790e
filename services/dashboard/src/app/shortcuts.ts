/** Keys that work everywhere: Ctrl-K opens the palette, `g` and a letter goes to a page, `/` to the page's filter, `?` lists them all. */
import { useEffect, useRef } from 'react';
import { useNavigate } from 'react-router';
import type { Me } from '@/session/session.ts';
import { pagesFor } from './pages.tsx';

const SEQUENCE_MS = 1_200;
export const LIST_EVENT = 'perpstream:shortcuts';
export const PALETTE_EVENT = 'perpstream:palette';

export function openPalette(): void {
  window.dispatchEvent(new Event(PALETTE_EVENT));
}

/** Whether a key belongs to what is being typed. */
export function isTyping(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  return target.isContentEditable || ['INPUT', 'TEXTAREA', 'SELECT'].includes(target.tagName);
}

function focusFilter(): boolean {
  const filter = document.querySelector<HTMLElement>('main [data-filter]');
  filter?.focus();
  return filter !== null;
}

export function useShortcuts(role: Me['role'] | null): void {
  const navigate = useNavigate();
  // Outlives the effect, which begins anew when a page changes between the two keys.
  const goingSince = useRef(0);
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if ((event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey && event.code === 'KeyK') {
        event.preventDefault(); // browsers search with it
        openPalette();
        return;
      }
      if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
      const isGoing = performance.now() - goingSince.current < SEQUENCE_MS;
      goingSince.current = 0;
      const page = isGoing ? pagesFor(role).find((each) => each.key === event.key) : undefined;
      if (page !== undefined) {
        event.preventDefault();
        void navigate(page.path);
      } else if (event.key === 'g') {
        goingSince.current = performance.now();
      } else if (event.key === '/' && focusFilter()) {
        event.preventDefault();
      } else if (event.key === '?') {
        window.dispatchEvent(new Event(LIST_EVENT));
      }
    };
    window.addEventListener('keydown', onKey);
    return () => window.removeEventListener('keydown', onKey);
  }, [role, navigate]);
}
