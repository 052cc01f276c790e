import { expect, test } from 'vitest';
import { inBooks, type Outcome, outcomesOf } from './outcomes.ts';

const told: Outcome = {
  books: 'live',
  account: 'main',
  trade_id: 't1',
  state: 'open',
  reason: null,
  net: '-0.20',
  net_r: -0.02,
};
const live = {
  account: 'main',
  trade_id: 't1',
  signal_id: 's1',
  state: 'closed',
  reason: null,
  exit_reason: 'take_profit_2',
  pnl_quote: '7.20',
  pnl_r: '0.72',
  entry_time_ms: 1,
} as const;
const paper = {
  trade_id: 'p1',
  signal_id: 's1',
  state: 'not_taken',
  reason: 'stop_passed',
  net: null,
  net_r: null,
  entry_time_ms: null,
} as const;

test('a signal has its outcomes on paper and on accounts, and the trade’s own word counts', () => {
  const found = outcomesOf({ signals: [{ event_id: 's1', outcomes: [told] }], paper: [paper], live: [live] });
  expect(inBooks(found, 's1', 'live')).toEqual([
    { ...told, state: 'closed', reason: 'take_profit_2', net: '7.20', net_r: 0.72 },
  ]);
  expect(inBooks(found, 's1', 'paper')).toMatchObject([{ state: 'not_taken', reason: 'stop_passed', net_r: null }]);
  expect(inBooks(found, 's2', 'paper')).toEqual([]);
});

test('of an older page what it told stands, and a trade without an entry has made nothing', () => {
  const refused = { ...live, account: 'other', trade_id: 't2', state: 'refused', entry_time_ms: null } as const;
  const byHand = { ...live, trade_id: 't3', signal_id: null };
  const found = outcomesOf({ signals: [{ event_id: 's1', outcomes: [told] }], paper: [], live: [refused, byHand] });
  expect([...found.keys()]).toEqual(['s1']);
  expect(inBooks(found, 's1', 'live').map((each) => [each.account, each.state, each.net_r])).toEqual([
    ['main', 'open', -0.02],
    ['other', 'refused', null],
  ]);
});
