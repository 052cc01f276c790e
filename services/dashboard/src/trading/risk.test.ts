import { expect, test } from 'vitest';
import { byGravity, type Measure, share } from './risk.ts';

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
  expect(share({ value: '3', warning: '3', breach: '6' })).toBe(0.5);
  expect(share({ value: '-2', warning: '3', breach: '6' })).toBe(0);
  expect(share({ value: null, warning: '3', breach: '6' })).toBe(null);
});

test('a floor is near when the value has fallen to it', () => {
  expect(share({ value: '200', warning: '200', breach: '100' })).toBe(0.5);
  expect(share({ value: '100', warning: '200', breach: '100' })).toBe(1);
  expect(share({ value: '0', warning: '200', breach: '100' })).toBe(1);
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
