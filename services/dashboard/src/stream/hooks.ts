/** The stream for components: each renders again only when what it shows has changed. */
import { useCallback, useSyncExternalStore } from 'react';
import { type Freshness, STATUS } from './freshness.ts';
import { type Channel, type ItemOf, nameOf, type Topic } from './protocol.ts';
import { stream } from './running.ts';
import type { StreamState } from './stream.ts';

function useListening<C extends Channel, T>(topic: Topic<C>, pick: () => T): T {
  const name = nameOf(topic);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the name says all of the topic, whatever object it comes in
  const subscribe = useCallback((listener: () => void) => stream.listen(topic, listener), [name]);
  return useSyncExternalStore(subscribe, pick);
}

/** The newest by key (docs/stream.md): `useLatest({ channel: 'prices' }).get('BTCUSDT')`. */
export function useLatest<C extends Channel>(topic: Topic<C>): ReadonlyMap<string, ItemOf<C>> {
  return useListening(topic, () => stream.view(topic).latest as ReadonlyMap<string, ItemOf<C>>);
}

/** The newest of one key: other keys' changes render nothing. */
export function useOne<C extends Channel>(topic: Topic<C>, key: string | null): ItemOf<C> | undefined {
  return useListening(topic, () =>
    key === null ? undefined : (stream.view(topic).latest.get(key) as ItemOf<C> | undefined),
  );
}

/** The last of a list, oldest first. */
export function useRecent<C extends Channel>(topic: Topic<C>): readonly ItemOf<C>[] {
  return useListening(topic, () => stream.view(topic).recent as readonly ItemOf<C>[]);
}

/** Whether the topic's snapshot has come: before, an empty list says nothing. */
export function useIsTold(topic: Topic<Channel>): boolean {
  return useListening(topic, () => stream.view(topic).told);
}

const watch = (watcher: () => void) => stream.watch(watcher);

/** The connection. */
export function useStreamState(): StreamState {
  return useSyncExternalStore(watch, () => stream.state());
}

const watchFreshness = (watcher: () => void) => {
  const [forget, leave] = [stream.watch(watcher), stream.listen(STATUS, watcher)];
  return () => {
    forget();
    leave();
  };
};

/** Whether live figures are news: connected, something heard lately, and the gateway hears Kafka. */
export function useFreshness(): Freshness {
  return useSyncExternalStore(watchFreshness, () => stream.freshness());
}
