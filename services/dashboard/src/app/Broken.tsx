/** What stands in place of a page whose code failed: the rest of the window goes on. */
import { Button } from '@mantine/core';
import { useRouteError } from 'react-router';
import { sentenceOf } from '@/api/problem.ts';
import { Empty } from '@/parts/States.tsx';
import classes from './Frame.module.css';

/** After an update the old page asks for files that are no more. */
function isOutdated(error: unknown): boolean {
  return error instanceof TypeError && /module|import/i.test(error.message);
}

export function Broken() {
  const error = useRouteError();
  return (
    <main className={classes.alone}>
      <Empty title={isOutdated(error) ? 'There is a newer version of this page' : 'This page has failed'}>
        {isOutdated(error) ? 'Load it to go on.' : sentenceOf(error)}
      </Empty>
      <Button variant="default" size="compact-sm" onClick={() => location.reload()}>
        Load again
      </Button>
    </main>
  );
}
