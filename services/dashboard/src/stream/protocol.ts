/** The names of what goes over `/api/stream`, as docs/stream.schema.json has them. */
import type { components } from './schema.d.ts';

type Schemas = components['schemas'];
type Items = Schemas['ItemOf'];

export type Channel = keyof Items;
export type ItemOf<C extends Channel> = Items[C];
export type ServerMessage = Schemas['ServerMessage'];
export type ClientMessage = Schemas['ClientMessage'];
export type Welcome = Schemas['Welcome'];

export type Price = Items['prices'];
export type MinuteBar = Items['trades'];
export type Feed = Items['feeds'];
export type Signal = Items['signals'];
export type Indicators = Items['indicators'];
export type Risk = Items['risk'];
export type Executor = Items['executor'];
export type Position = Items['positions'];
export type PaperTrade = Items['paper'];
export type LiveTrade = Items['live'];
export type Alert = Items['alerts'];

/** A channel, narrowed to symbols or strategies; without a list, all of them. */
export interface Topic<C extends Channel> {
  channel: C;
  symbols?: readonly string[];
  strategies?: readonly string[];
}

/** The same for the same topic: whoever listens to the same shares one subscription. */
export function nameOf(topic: Topic<Channel>): string {
  const list = (names: readonly string[] | undefined) => [...(names ?? [])].sort().join(',');
  return `${topic.channel}|${list(topic.symbols)}|${list(topic.strategies)}`;
}

type KeyOf = { [C in Channel]?: (item: ItemOf<C>) => string };

/** Channels that keep the newest by key; the other ones are lists. */
const KEYS: KeyOf = {
  prices: (price) => price.symbol,
  trades: (bar) => `${bar.symbol}:${bar.open_time_ms}`,
  indicators: (features) => features.symbol,
  feeds: (feed) => `${feed.feed}:${feed.symbol}`,
  positions: (position) => `${position.account}:${position.symbol}`,
  executor: (report) => report.account,
  risk: (risk) => risk.account,
  status: () => 'kafka',
};

/** The key of an item of a channel that keeps the newest; null for a list's. */
export function keyOf(channel: Channel): ((item: unknown) => string) | null {
  return (KEYS[channel] as ((item: unknown) => string) | undefined) ?? null;
}
