/** Lists that REST keeps are asked anew when the stream tells of something that changes them: at most once a second. */
import { useQueryClient } from '@tanstack/react-query';
import { useEffect, useRef } from 'react';
import { useRecent } from '@/stream/hooks.ts';
import type { Channel, Topic } from '@/stream/protocol.ts';

const LEAST_MS = 1_000;

type Listed = Extract<Channel, 'paper' | 'live' | 'orders' | 'signals' | 'commands' | 'alerts'>;

/** `first`: how the keys of the lists begin, such as `paper`. */
export function useRefresh(topic: Topic<Listed>, first: string): void {
  const client = useQueryClient();
  const newest = useRecent(topic).at(-1)?.event_id ?? null;
  const before = useRef(newest);
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  useEffect(() => {
    const wasNothing = before.current === null; // the snapshot: REST has answered with that already
    const isSame = before.current === newest;
    before.current = newest;
    if (isSame || wasNothing || timer.current !== undefined) return;
    timer.current = setTimeout(() => {
      timer.current = undefined;
      void client.invalidateQueries({ queryKey: [first] });
    }, LEAST_MS);
  }, [newest, first, client]);
  useEffect(() => () => clearTimeout(timer.current), []);
}
