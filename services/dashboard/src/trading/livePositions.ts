/** Positions of the account as they are now, for the desk and the account's page. */
import { queryOptions, useQuery } from '@tanstack/react-query';
import { useMemo } from 'react';
import { api, bodyOf } from '@/api/client.ts';
import { askLiveSummary } from '@/api/queries.ts';
import { useLatest, useOne } from '@/stream/hooks.ts';
import { merged, worthAt } from './positions.ts';

export const askPositions = queryOptions({
  queryKey: ['live', 'positions'],
  queryFn: ({ signal }) => bodyOf(api.GET('/api/live/positions', { signal })),
  refetchInterval: 5_000,
});

const NONE: readonly never[] = [];

/** The name of the account that this installation trades; null until it is known. */
export function useAccount(): string | null {
  return useQuery(askLiveSummary).data?.account ?? null;
}

export function useLivePositions() {
  const asked = useQuery(askPositions);
  const account = useAccount();
  const told = useLatest({ channel: 'positions' });
  const held = useOne({ channel: 'executor' }, account)?.held ?? NONE;
  const rows = useMemo(
    () => merged(asked.data?.rows ?? [], told.values(), held, account),
    [asked.data, told, held, account],
  );
  return { asked, rows };
}

/** Of all of them at the newest mark prices, in quote units; null where one is not known. */
export function useUnrealised(): number | null {
  const { rows } = useLivePositions();
  const prices = useLatest({ channel: 'prices' });
  return rows.reduce<number | null>((sum, row) => {
    const { unrealised } = worthAt(row, prices.get(row.symbol)?.mark_price);
    return sum === null || unrealised === null ? null : sum + unrealised;
  }, 0);
}
