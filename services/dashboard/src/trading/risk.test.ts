import { expect, test } from 'vitest';
import { byGravity, byRule, type Measure, type RiskOfAccount, riskNow, share } from './risk.ts';

const measure = (
  rule: string,
  level: Measure['level'],
  value: string | null,
  warning: string,
  breach: string,
): Measure => ({
  rule,
  level,
  value,
  warning,
  breach,
  sentence: '',
});

test('how near a rule is to its break', () => {
  expect(share({ rule: 'any', value: '3', warning: '3', breach: '6' })).toBe(0.5);
  expect(share({ rule: 'any', value: '-2', warning: '3', breach: '6' })).toBe(0);
  expect(share({ rule: 'any', value: null, warning: '3', breach: '6' })).toBe(null);
});

test('a floor is near when the value has fallen to it', () => {
  expect(share({ rule: 'any', value: '200', warning: '200', breach: '100' })).toBe(0.5);
  expect(share({ rule: 'any', value: '100', warning: '200', breach: '100' })).toBe(1);
  expect(share({ rule: 'any', value: '0', warning: '200', breach: '100' })).toBe(1);
  expect(share({ rule: 'any', value: '9000', warning: '200', breach: '100' })).toBe(0);
  expect(share({ rule: 'data_completeness', value: '100', warning: '99.9', breach: '99' })).toBe(0);
});

test('the gravest first, then the nearest to its limit', () => {
  const rules = byGravity([
    measure('calm', 'normal', '1', '3', '6'),
    measure('nearer', 'normal', '2', '3', '6'),
    measure('broken', 'break', '7', '3', '6'),
    measure('dark', 'unknown', null, '3', '6'),
  ]);
  expect(rules.map((rule) => rule.rule)).toEqual(['broken', 'dark', 'nearer', 'calm']);
});

test('a rule that looks at each symbol stands there once, with the gravest of them', () => {
  const rules = byRule([
    measure('fresh', 'normal', '1', '10', '30'),
    measure('skew', 'normal', '2', '250', '1000'),
    measure('fresh', 'warning', '12', '10', '30'),
  ]);
  expect(rules.map((rule) => [rule.measure.rule, rule.measure.value, rule.others.length])).toEqual([
    ['fresh', '12', 1],
    ['skew', '2', 0],
  ]);
});

const known: RiskOfAccount = {
  account: 'main',
  guard: { heard: true, silent: false, age_ms: 400 },
  level: 'normal',
  entries_allowed: true,
  reasons: [],
  daily_pnl_r: '0',
  break_number: 0,
  paused: false,
  locks: {},
  measures: [],
};
const live = {
  ...known,
  event_time_ms: 1,
  level: 'warning' as const,
  daily_pnl_r: '-1',
  break_number: 0,
  paused: true,
};

test('the stream’s word stands over what REST knew, which stays where there is none', () => {
  expect(riskNow(known, live)).toMatchObject({ level: 'warning', paused: true, guard: { silent: false } });
  expect(riskNow(known, undefined)).toBe(known);
  expect(riskNow(null, live)).toBe(null);
});

test('a guard that is silent allows nothing, whatever it said last', () => {
  const silent = { ...known, guard: { heard: true, silent: true, age_ms: 11_000 }, entries_allowed: false };
  expect(riskNow(silent, { ...live, entries_allowed: true })).toBe(silent);
});
