/** What can be found by its name on Ctrl-K: pages, what the account can be told, symbols, strategies, signals, trades. */
import { fixed } from '@/format/numbers.ts';
import type { Me } from '@/session/session.ts';
import type { LiveTrade, PaperTrade, Signal } from '@/stream/protocol.ts';
import { pathOf, TOLD, TOLD_NAMES } from '@/trading/told.ts';
import { pagesFor } from './pages.tsx';

export interface Entry {
  id: string;
  label: string;
  description?: string;
  /** Where it leads. */
  path: string;
  /** The symbol whose charts are shown from then on. */
  symbol?: string;
}

export interface Group {
  group: string;
  entries: readonly Entry[];
}

/** What the stream has told last; oldest first. */
export interface Heard {
  signals: readonly Signal[];
  live: readonly LiveTrade[];
  paper: readonly PaperTrade[];
}

export const NOTHING_HEARD: Heard = { signals: [], live: [], paper: [] };

interface Known extends Heard {
  role: Me['role'] | null;
  symbols: readonly string[];
  strategies: readonly string[];
}

const MOST = 20;

/** The newest word about each, newest first. */
function newestOf<T>(items: readonly T[], keyOf: (item: T) => string): T[] {
  const byKey = new Map<string, T>();
  for (const item of [...items].reverse()) if (!byKey.has(keyOf(item))) byKey.set(keyOf(item), item);
  return [...byKey.values()].slice(0, MOST);
}

function pages(role: Me['role'] | null): Entry[] {
  return pagesFor(role).map(({ path, name, key }) => ({
    id: path,
    label: name,
    description: key === undefined ? '' : `g ${key}`,
    path,
  }));
}

/** Each opens its sheet, which says what it would do and asks. */
function commands(role: Me['role'] | null): Entry[] {
  if (role !== 'trader' && role !== 'admin') return [];
  return TOLD.map((told) => {
    const [label, description] = TOLD_NAMES[told];
    return { id: `tell ${told}`, label, description, path: pathOf(told) };
  });
}

function strategies(names: readonly string[]): Entry[] {
  return names.flatMap((name) => [
    { id: `signals ${name}`, label: `Signals of ${name}`, path: `/signals?strategy=${name}` },
    { id: `paper ${name}`, label: `Paper trades of ${name}`, path: `/paper?strategy=${name}` },
  ]);
}

function signals(heard: readonly Signal[]): Entry[] {
  return newestOf(heard, ({ event_id }) => event_id).map((signal) => ({
    id: `signal ${signal.event_id}`,
    label: `${signal.symbol} ${signal.direction} ${fixed(signal.score, 1)}, ${signal.strategy}, ${signal.state}`,
    description: signal.sentence,
    path: `/signals/${signal.event_id}`,
  }));
}

function trades({ live, paper }: Pick<Heard, 'live' | 'paper'>): Entry[] {
  const words = (trade: LiveTrade | PaperTrade) => `${trade.symbol} ${trade.direction}, ${trade.strategy}`;
  return [
    ...newestOf(live, ({ trade_id }) => trade_id).map((trade) => ({
      id: `trade ${trade.trade_id}`,
      label: `${words(trade)}, ${trade.state.replace('_', ' ')}`,
      description: 'Trade of the account',
      path: `/live/trades/${trade.trade_id}`,
    })),
    ...newestOf(paper, ({ trade_id }) => trade_id).map((trade) => ({
      id: `paper trade ${trade.trade_id}`,
      label: `${words(trade)}, ${trade.state} on paper`,
      description: 'Paper trade, with its signal',
      path: `/signals/${trade.signal_id}`,
    })),
  ];
}

/** Everything that leads somewhere; nothing but public pages for whoever is not signed in. */
export function paletteOf(known: Known): Group[] {
  const { role } = known;
  const groups = [
    { group: 'Pages', entries: pages(role) },
    { group: 'Tell the account', entries: commands(role) },
    {
      group: 'Symbols',
      entries: known.symbols.map((symbol) => ({
        id: `symbol ${symbol}`,
        label: symbol,
        description: 'Show its chart',
        path: '/',
        symbol,
      })),
    },
    { group: 'Strategies', entries: strategies(known.strategies) },
    { group: 'Signals', entries: signals(known.signals) },
    { group: 'Trades', entries: trades(known) },
  ];
  return groups.filter(({ entries }) => entries.length > 0);
}
