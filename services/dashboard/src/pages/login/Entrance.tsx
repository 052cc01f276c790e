/** The frame of the two pages that one sees before the others. */
import type { ReactNode } from 'react';
import classes from './Entrance.module.css';

export function Entrance({ title, children }: { title: string; children: ReactNode }) {
  return (
    <main className={classes.entrance}>
      <div className={classes.card}>
        <div className={classes.brand}>
          <img src="/favicon.svg" width={28} height={28} alt="" />
          <h1>{title}</h1>
        </div>
        {children}
      </div>
    </main>
  );
}

export function Hint({ children }: { children: ReactNode }) {
  return <p className={classes.hint}>{children}</p>;
}
