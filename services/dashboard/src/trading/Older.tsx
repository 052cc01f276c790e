/** The next page of a list that goes on. */
import { Button } from '@mantine/core';

export interface Paged {
  hasNextPage: boolean;
  isFetchingNextPage: boolean;
  fetchNextPage: () => unknown;
}

export function Older({ asked }: { asked: Paged }) {
  if (!asked.hasNextPage) return null;
  return (
    <Button
      size="compact-xs"
      variant="default"
      loading={asked.isFetchingNextPage}
      onClick={() => void asked.fetchNextPage()}
    >
      Load older ones
    </Button>
  );
}
