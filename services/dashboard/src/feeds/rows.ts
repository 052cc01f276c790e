/** How the feeds are: of REST and the stream, the newer report. */
import { useQuery } from '@tanstack/react-query';
import { useMemo } from 'react';
import type { Schema } from '@/api/client.ts';
import { askFeeds } from '@/api/queries.ts';
import { useLatest } from '@/stream/hooks.ts';
import type { Feed as Told } from '@/stream/protocol.ts';

export type Feed = Schema<'FeedAnswer'>;

export function newestReports(asked: readonly Feed[], told: ReadonlyMap<string, Told>): Feed[] {
  return asked.map((feed) => {
    const newer = told.get(`${feed.feed}:${feed.symbol}`);
    return newer !== undefined && newer.reported_ms > feed.reported_ms ? { ...feed, ...newer } : feed;
  });
}

export function useFeeds() {
  const asked = useQuery(askFeeds);
  const told = useLatest({ channel: 'feeds' });
  const rows = useMemo(() => newestReports(asked.data?.feeds ?? [], told), [asked.data, told]);
  return { asked, rows };
}

/** Whether it does not deliver. */
export function isTroubled({ state }: Pick<Feed, 'state'>): boolean {
  return state !== 'live' && state !== 'starting';
}

/** How many do not deliver. */
export function troubledOf(rows: readonly Feed[]): number {
  return rows.filter(isTroubled).length;
}
