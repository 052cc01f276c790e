/** What is asked or shown beside the page: it covers a corner and never the prices; Escape leaves it. */
import { CloseButton } from '@mantine/core';
import { type ReactNode, useEffect, useId, useRef } from 'react';
import { createPortal } from 'react-dom';
import classes from './Sheet.module.css';

interface SheetProps {
  title: string;
  tone?: 'danger' | 'neutral' | undefined;
  onClose: () => void;
  children: ReactNode;
}

function useEscape(leave: () => void): void {
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => event.key === 'Escape' && leave();
    window.addEventListener('keydown', onKey);
    return () => window.removeEventListener('keydown', onKey);
  }, [leave]);
}

/** Focus goes into the sheet when it opens, and back to where it was when it closes. */
function useFocus() {
  const sheet = useRef<HTMLElement>(null);
  useEffect(() => {
    const before = document.activeElement;
    const first = sheet.current?.querySelector<HTMLElement>('form input, form button');
    (first ?? sheet.current)?.focus();
    return () => {
      if (before instanceof HTMLElement) before.focus();
    };
  }, []);
  return sheet;
}

export function Sheet({ title, tone = 'neutral', onClose, children }: SheetProps) {
  const id = useId();
  const sheet = useFocus();
  useEscape(onClose);
  return createPortal(
    <section ref={sheet} className={classes.sheet} data-tone={tone} role="dialog" aria-labelledby={id} tabIndex={-1}>
      <header className={classes.head}>
        <h2 className={classes.title} id={id}>
          {title}
        </h2>
        <CloseButton size="sm" className={classes.close ?? ''} aria-label="Close" onClick={onClose} />
      </header>
      {children}
    </section>,
    document.body,
  );
}
