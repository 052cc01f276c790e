import { describe, expect, it } from 'vitest';
import { bandOf, written } from './report.ts';

describe('a figure of a report', () => {
  it('is written in its unit, and a dash where it is not known', () => {
    expect(written({ value: -12.5 }, 'quote_signed')).toBe('\u221212.50');
    expect(written({ value: 0.034 }, 'share')).toBe('3.4\u202f%');
    expect(written({ value: 200_000 }, 'time')).toBe('3 min 20 s');
    expect(written({ value: null, reason: 'no trades' }, 'ratio')).toBe('–');
    expect(written(undefined, 'ratio')).toBe('–');
  });

  it('says its band, or why it has none', () => {
    expect(bandOf({ value: 1, low: 0.5, high: null }, 'ratio')).toBe('0.50 to …');
    expect(bandOf({ value: null, reason: 'no trades' }, 'ratio')).toBe('no trades');
    expect(bandOf({ value: 1 }, 'ratio')).toBeNull();
  });
});
