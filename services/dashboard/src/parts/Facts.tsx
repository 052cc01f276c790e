/** A few named figures in a row, which break into lines where there is little room. */
import type { ReactNode } from 'react';
import classes from './Facts.module.css';

export function Facts({ label, children }: { label: string; children: ReactNode }) {
  return (
    <dl className={classes.facts} aria-label={label}>
      {children}
    </dl>
  );
}

export function Fact({ name, title, children }: { name: string; title?: string | undefined; children: ReactNode }) {
  return (
    <div className={classes.fact} title={title}>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}
