import { expect, test } from 'vitest';
import { byGravity, byRule, type Measure, share } from './risk.ts';

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
