/** How far a run is, with a way to end it. */
import { Button } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { sentenceOf } from '@/api/problem.ts';
import { useNow } from '@/format/now.ts';
import { percent } from '@/format/numbers.ts';
import { duration } from '@/format/time.ts';
import { useMe } from '@/session/session.ts';
import classes from './Backtests.module.css';
import { cancel, leftMs, type Run } from './runs.ts';

export function Progress({ run }: { run: Run }) {
  const me = useMe();
  const now = useNow();
  const client = useQueryClient();
  const ending = useMutation({
    mutationFn: () => cancel(run.backtest_id),
    onSettled: () => client.invalidateQueries({ queryKey: ['backtests'] }),
  });
  const left = leftMs(run, now);
  return (
    <div className={classes.progress}>
      <div className={classes.progressHead}>
        <b>{percent(run.done, 0)}</b>
        <span className={classes.dim}>
          {run.phase || 'starting'}, for {duration(now - run.started_ms)}
          {left !== null && `, about ${duration(left)} left`}
        </span>
        {me.role !== 'viewer' && (
          <Button
            size="compact-xs"
            variant="default"
            className={classes.right}
            loading={ending.isPending}
            onClick={() => ending.mutate()}
          >
            Cancel
          </Button>
        )}
      </div>
      <progress className={classes.bar} max={1} value={run.done} aria-label="How much has been replayed" />
      {ending.error !== null && <span role="alert">{sentenceOf(ending.error)}</span>}
    </div>
  );
}
