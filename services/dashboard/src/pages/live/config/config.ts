/** What may trade, as a form of texts: each setting by the name that a command gives it, and the changes that were made. */
import { toNumber } from '@/format/numbers.ts';

export type Texts = Readonly<Record<string, string>>;
export type Kind = 'list' | 'amount' | 'count' | 'choice';

export interface Setting {
  name: string;
  title: string;
  kind: Kind;
  unit?: string;
  /** What it does, in a sentence. */
  help: string;
  choices?: readonly string[];
}

/** In the order of docs/trading.md's words: what trades, how much, and under which limits. */
export const SETTINGS: readonly Setting[] = [
  { name: 'strategies', title: 'Strategies', kind: 'list', help: 'Whose signals are traded; none: nothing trades' },
  { name: 'symbols', title: 'Only these symbols', kind: 'list', help: 'Empty: every followed symbol' },
  { name: 'blacklist', title: 'Never these', kind: 'list', help: 'Symbols that are not entered' },
  { name: 'risk_per_trade', title: '1 R', kind: 'amount', unit: 'USDT', help: 'What a trade loses at its stop' },
  { name: 'max_positions', title: 'Positions at once', kind: 'count', help: 'Open or being entered' },
  { name: 'max_notional', title: 'Largest position', kind: 'amount', unit: 'USDT', help: 'Notional of one position' },
  { name: 'leverage', title: 'Leverage', kind: 'count', unit: '×', help: 'Set at the venue before an entry' },
  {
    name: 'margin_type',
    title: 'Margin',
    kind: 'choice',
    choices: ['CROSSED', 'ISOLATED'],
    help: 'Set at the venue like the leverage',
  },
  { name: 'cooldown_seconds', title: 'Cooldown', kind: 'count', unit: 's', help: 'After a trade’s end, each symbol' },
  {
    name: 'signal_valid_seconds',
    title: 'Signal valid',
    kind: 'count',
    unit: 's',
    help: 'An older one is not entered',
  },
  { name: 'hold_minutes', title: 'Longest hold', kind: 'count', unit: 'min', help: 'Whatever a strategy says' },
  {
    name: 'max_price_gap_bps',
    title: 'Price gap',
    kind: 'amount',
    unit: 'bps',
    help: 'Most between the signal’s price and the order venue’s',
  },
  {
    name: 'min_liquidation_gap',
    title: 'Liquidation gap',
    kind: 'amount',
    unit: 'stops',
    help: 'Liquidation is at least so many stop distances away',
  },
  {
    name: 'foreign_policy',
    title: 'What is not ours',
    kind: 'choice',
    choices: ['pause', 'adopt', 'ignore'],
    help: 'Orders or positions of somebody else on the account',
  },
];

/** What a symbol may have of its own. */
export const OWN = ['risk_per_trade', 'leverage', 'margin_type', 'max_notional'] as const;
/** In the place of a symbol's own value: as all have it. */
export const NONE = 'none';
/** As shipped, where an account was never configured. */
const SHIPPED: Texts = {
  strategies: '',
  symbols: '',
  blacklist: '',
  risk_per_trade: '10',
  max_positions: '3',
  max_notional: '10000',
  leverage: '5',
  margin_type: 'CROSSED',
  cooldown_seconds: '300',
  signal_valid_seconds: '15',
  hold_minutes: '70',
  max_price_gap_bps: '50',
  min_liquidation_gap: '1.5',
  foreign_policy: 'pause',
};

function text(value: unknown): string {
  return Array.isArray(value) ? value.map(String).join(',') : String(value);
}

export const ownName = (symbol: string, name: string) => `overrides.${symbol}.${name}`;

/** A document as texts by name; a symbol's own values as `overrides.SYMBOL.NAME`. */
export function textsOf(document: Readonly<Record<string, unknown>>): Texts {
  const texts: Record<string, string> = { ...SHIPPED };
  for (const { name } of SETTINGS) {
    const value = document[name];
    if (value !== undefined && value !== null) texts[name] = text(value);
  }
  const overrides = (document.overrides ?? {}) as Record<string, Record<string, unknown> | null>;
  for (const [symbol, own] of Object.entries(overrides)) {
    for (const name of OWN) {
      const value = own?.[name];
      if (value !== undefined && value !== null) texts[ownName(symbol, name)] = text(value);
    }
  }
  return texts;
}

/** Symbols that have something of their own. */
export function ownSymbols(texts: Texts): string[] {
  const names = Object.keys(texts).filter((name) => name.startsWith('overrides.'));
  return [...new Set(names.map((name) => name.split('.')[1] ?? ''))].sort();
}

function isSame(name: string, one: string, other: string): boolean {
  if (one === other) return true;
  const kind = SETTINGS.find((setting) => setting.name === (name.split('.')[2] ?? name))?.kind;
  if (kind === 'list') return listOf(one).join(',') === listOf(other).join(',');
  return (kind === 'amount' || kind === 'count') && toNumber(one) !== null && toNumber(one) === toNumber(other);
}

export function listOf(texts: string): string[] {
  return texts
    .split(',')
    .map((part) => part.trim())
    .filter(Boolean);
}

/** What a command would change: only what differs; a symbol's own value that was emptied becomes `none`. */
export function changesOf(before: Texts, after: Texts): Record<string, string> {
  const changes: Record<string, string> = {};
  for (const name of new Set([...Object.keys(before), ...Object.keys(after)])) {
    const isOwn = name.startsWith('overrides.');
    const [was, is] = [before[name] ?? '', (after[name] ?? '').trim()];
    if (isSame(name, was, is)) continue;
    changes[name] = isOwn && is === '' ? NONE : is;
  }
  return changes;
}

/** What stood where something is changed, as texts: what takes the change back. */
export function formerOf(before: Texts, changes: Readonly<Record<string, string>>): Texts {
  return Object.fromEntries(Object.keys(changes).map((name) => [name, before[name] ?? '']));
}

/** A setting's name as people read it: `overrides.BTCUSDT.leverage` is `BTCUSDT: Leverage`. */
export function titleOf(name: string): string {
  const [first = '', symbol, own] = name.split('.');
  const setting = SETTINGS.find((each) => each.name === (own ?? first));
  const title = setting?.title ?? (own ?? first).replaceAll('_', ' ');
  return own === undefined ? title : `${symbol}: ${title}`;
}
