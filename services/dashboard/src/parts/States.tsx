/** What stands where figures would: nothing yet, nothing at all, or something that failed. */
import { Button, Skeleton } from '@mantine/core';
import type { ReactNode } from 'react';
import { sentenceOf } from '@/api/problem.ts';
import { Ago } from './Ago.tsx';
import classes from './Panel.module.css';

/** Lines of the height that the figures will have, so that nothing jumps when they come. */
export function Waiting({ lines = 4, height = 16 }: { lines?: number; height?: number }) {
  const widths = ['92%', '78%', '86%', '70%', '82%', '74%'];
  return (
    <div className={classes.padded} role="status" aria-label="Loading">
      {Array.from({ length: lines }, (_, line) => `line ${line}`).map((name, line) => (
        <Skeleton key={name} height={height} width={widths[line % widths.length] ?? '80%'} mb={8} />
      ))}
    </div>
  );
}

/** Why there is nothing, and what would fill it. */
export function Empty({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <div className={classes.state}>
      <strong>{title}</strong>
      {children !== undefined && <span>{children}</span>}
    </div>
  );
}

interface FailedProps {
  error: unknown;
  since?: number;
  retry?: () => void;
}

/** What failed, since when, and a way to ask again. */
export function Failed({ error, since, retry }: FailedProps) {
  return (
    <div className={classes.state} role="alert">
      <strong>This could not be loaded</strong>
      <span>
        {sentenceOf(error)}
        {since !== undefined && since > 0 && (
          <>
            {' '}
            (last known <Ago ms={since} />)
          </>
        )}
      </span>
      {retry !== undefined && (
        <Button size="compact-sm" variant="default" onClick={retry}>
          Try again
        </Button>
      )}
    </div>
  );
}
