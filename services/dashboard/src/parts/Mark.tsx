/** A state in a word, with a sign beside its colour. */
import type { ReactNode } from 'react';
import classes from './Mark.module.css';

export type Tone = 'neutral' | 'good' | 'degraded' | 'danger' | 'production' | 'accent';

const SIGNS: Record<Tone, string> = { neutral: '', good: '●', degraded: '▲', danger: '■', production: '◆', accent: '' };

interface MarkProps {
  tone: Tone;
  children: ReactNode;
  title?: string | undefined;
}

export function Mark({ tone, children, title }: MarkProps) {
  return (
    <span className={`${classes.mark} ${tone === 'neutral' ? '' : classes[tone]}`} title={title}>
      {SIGNS[tone] !== '' && <span aria-hidden="true">{SIGNS[tone]}</span>}
      <span>{children}</span>
    </span>
  );
}
