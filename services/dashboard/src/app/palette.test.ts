import { expect, test } from 'vitest';
import type { PaperTrade, Signal } from '@/stream/protocol.ts';
import { NOTHING_HEARD, paletteOf } from './palette.ts';

const known = { role: 'trader' as const, symbols: ['BTCUSDT'], strategies: ['v51'], ...NOTHING_HEARD };
const pathsOf = (groups: ReturnType<typeof paletteOf>, group: string) =>
  (groups.find((each) => each.group === group)?.entries ?? []).map(({ path }) => path);

const signal = (event_id: string) =>
  ({ event_id, symbol: 'BTCUSDT', direction: 'long', score: 78.2, strategy: 'v51', state: 'emitted' }) as Signal;

test('what a trader may tell the account opens its sheet', () => {
  const paths = pathsOf(paletteOf(known), 'Tell the account');
  expect(paths).toContain('/live?tell=pause');
  expect(paths).toContain('/live?tell=flatten');
});

test('whoever only looks is not offered what is refused', () => {
  expect(pathsOf(paletteOf({ ...known, role: 'viewer' }), 'Tell the account')).toEqual([]);
  expect(pathsOf(paletteOf({ ...known, role: null }), 'Tell the account')).toEqual([]);
});

test('symbols, strategies and signals lead to theirs, the newest signal first', () => {
  const groups = paletteOf({ ...known, signals: [signal('a'), signal('b')] });
  expect(pathsOf(groups, 'Symbols')).toEqual(['/']);
  expect(pathsOf(groups, 'Strategies')).toEqual(['/signals?strategy=v51', '/paper?strategy=v51']);
  expect(pathsOf(groups, 'Signals')).toEqual(['/signals/b', '/signals/a']);
});

test('a trade stands there once, as it is now', () => {
  const fill = (state: string) =>
    ({ trade_id: 't', signal_id: 's', symbol: 'BTCUSDT', direction: 'long', strategy: 'v51', state }) as PaperTrade;
  const groups = paletteOf({ ...known, paper: [fill('open'), fill('closed')] });
  expect(pathsOf(groups, 'Trades')).toEqual(['/signals/s']);
  expect(groups.at(-1)?.entries[0]?.label).toBe('BTCUSDT long, v51, closed on paper');
});

test('a group without anything is left out', () => {
  expect(paletteOf(known).map(({ group }) => group)).toEqual(['Pages', 'Tell the account', 'Symbols', 'Strategies']);
});
