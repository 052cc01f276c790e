/** A path that is no page. */
import { Anchor } from '@mantine/core';
import { Link } from 'react-router';
import { Empty } from '@/parts/States.tsx';
import classes from './Frame.module.css';

export function NotFound() {
  return (
    <main className={classes.alone}>
      <Empty title="There is no such page" />
      <Anchor component={Link} to="/">
        To the market
      </Anchor>
    </main>
  );
}
