/** After a hole in the stream: what went by unheard is asked of REST, in this one place. */
import type { QueryClient } from '@tanstack/react-query';
import type { Channel } from '@/stream/protocol.ts';
import type { Stream } from '@/stream/stream.ts';

/** How the keys of the questions begin that a channel's facts change. */
const FIRSTS: Record<Channel, readonly string[]> = {
  signals: ['signals'],
  paper: ['paper'],
  live: ['live'],
  orders: ['live'],
  positions: ['live'],
  executor: ['live'],
  risk: ['risk', 'live'],
  commands: ['risk', 'live'],
  alerts: ['risk'],
  liquidations: ['liquidations'],
  gaps: ['gaps'],
  trades: ['trades', 'kline'],
  prices: ['rates'],
  indicators: ['indicators'],
  feeds: ['feeds'],
  status: ['server'],
};

const LEAST_MS = 200;
/** All pages of a gateway that starts again come back at once: they ask one after the other. */
const SPREAD_MS = 800;

export interface FillingPorts {
  later(task: () => void, ms: number): unknown;
  chance(): number;
}

/** Ask anew what the stream has missed, and, when it is back, what had failed meanwhile. */
export function beginFilling(stream: Stream, client: QueryClient, { later, chance }: FillingPorts): void {
  const waiting = new Set<string>();
  let isDue = false;
  let wasLost = false;
  const soon = () => {
    if (isDue) return;
    isDue = true;
    later(
      () => {
        isDue = false;
        const firsts = new Set(waiting);
        waiting.clear();
        const isMeant = (key: unknown, status: string) => firsts.has(String(key)) || status === 'error';
        void client.invalidateQueries({ predicate: ({ queryKey, state }) => isMeant(queryKey[0], state.status) });
      },
      LEAST_MS + SPREAD_MS * chance(),
    );
  };
  stream.onMissing((channel) => {
    for (const first of FIRSTS[channel]) waiting.add(first);
    soon();
  });
  stream.watch(() => {
    const { kind } = stream.state();
    if (kind === 'lost') wasLost = true;
    if (kind !== 'live' || !wasLost) return;
    wasLost = false;
    soon();
  });
}
