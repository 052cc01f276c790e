/** A page whose figures the API has, and this version does not show yet. */
import { Anchor } from '@mantine/core';
import { Empty } from '@/parts/States.tsx';

export function NotYet({ route }: { route: string }) {
  return (
    <Empty title="This version does not show this page yet">
      Its figures are at <Anchor href={route}>{route}</Anchor>.
    </Empty>
  );
}
