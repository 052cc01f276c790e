/** Whether a page may be shown: to whoever is signed in, and the public ones to everybody. */
import { Button, Loader } from '@mantine/core';
import { Suspense } from 'react';
import { Navigate, useLocation } from 'react-router';
import { Empty, Waiting } from '@/parts/States.tsx';
import { beginSession, useSession } from '@/session/session.ts';
import classes from './Frame.module.css';
import type { Page } from './pages.tsx';

function Unreachable({ why }: { why: string }) {
  return (
    <div className={classes.alone}>
      <Empty title="The gateway does not answer">
        {why}. This page tries again every two seconds; positions keep their stops meanwhile.
      </Empty>
      <Button variant="default" size="compact-sm" onClick={() => void beginSession()}>
        Try now
      </Button>
    </div>
  );
}

export function Gate({ page }: { page: Page }) {
  const session = useSession();
  const { pathname, search } = useLocation();
  if (!page.isPublic) {
    if (session.kind === 'unknown') return <Loader className={classes.alone} aria-label="Signing in" />;
    if (session.kind === 'unreachable') return <Unreachable why={session.why} />;
    if (session.kind === 'out') return <Navigate to={`/login?next=${encodeURIComponent(pathname + search)}`} replace />;
  }
  return (
    <Suspense fallback={<Waiting lines={8} height={24} />}>{page.Content !== undefined && <page.Content />}</Suspense>
  );
}
