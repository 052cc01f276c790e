import { describe, expect, it } from 'vitest';
import { differenceOf, invitation } from './asking.ts';

describe('the audit', () => {
  it('says in one line what a change has changed', () => {
    expect(differenceOf({ role: 'viewer', name: 'anna' }, { role: 'trader', name: 'anna' })).toBe(
      'role viewer → trader',
    );
    expect(differenceOf(null, { symbols: ['BTCUSDT'] })).toBe('symbols ["BTCUSDT"]');
    expect(differenceOf({ banned: true }, null)).toBe('banned true → nothing');
    expect(differenceOf(null, null)).toBe('');
    expect(differenceOf('a', 'b')).toBe('a → b');
    expect(differenceOf({ paused: false, told_ms: 1 }, { account: 'main' })).toBe(
      'paused false, told_ms 1 → account main',
    );
  });
});

describe('an invite', () => {
  it('leads to the page that registers, with its code', () => {
    expect(invitation('http://127.0.0.1:8000', 'AB+C')).toBe('http://127.0.0.1:8000/register?code=AB%2BC');
  });
});
