import { describe, expect, it } from 'vitest';
import {
  bytes,
  completeness,
  count,
  decimalsOf,
  direction,
  fixed,
  inR,
  percent,
  plain,
  plainDecimals,
  short,
  signed,
  UNKNOWN,
} from './numbers.ts';

describe('numbers', () => {
  it('have the decimals that say something: no noughts at the end, no endless averages', () => {
    expect(plainDecimals('92324.20')).toBe(1);
    expect(plainDecimals('142.0142342892007434')).toBe(6);
    expect(plainDecimals(null)).toBe(0);
    expect([plain('0.09900'), plain('1100'), plain('-2.5'), plain(null)]).toEqual(['0.099', '1\u202f100', '−2.5', '–']);
  });

  it('keeps the decimals of a tick and spaces thousands', () => {
    expect(fixed('64120.5', 2)).toBe('64\u202f120.50');
    expect(fixed(1234567, 0)).toBe('1\u202f234\u202f567');
    expect(fixed('0.00001234', 8)).toBe('0.00001234');
    expect(decimalsOf('64120.50')).toBe(2);
    expect(decimalsOf('7')).toBe(0);
  });

  it('says that something is not known, and never 0 for it', () => {
    for (const nothing of [null, undefined, '', 'NaN', Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(fixed(nothing, 2)).toBe(UNKNOWN);
      expect(signed(nothing, 2)).toBe(UNKNOWN);
      expect(inR(nothing)).toBe(UNKNOWN);
      expect(percent(nothing)).toBe(UNKNOWN);
      expect(short(nothing)).toBe(UNKNOWN);
      expect(direction(nothing)).toBe(0);
    }
  });

  it('shows the sign of profit always, but none of what rounds to nothing', () => {
    expect(signed('12.3', 2)).toBe('+12.30');
    expect(signed('-1234.5', 1)).toBe('\u22121\u202f234.5');
    expect(signed('-0.001', 2)).toBe('0.00');
    expect(inR(1.25)).toBe('+1.25\u202fR');
    expect(percent(-0.0512, 2, true)).toBe('\u22125.12\u202f%');
  });

  it('never calls something whole that is not', () => {
    expect(completeness(1_000_000)).toBe('100\u202f%');
    expect(completeness(999_999)).toBe('99.99\u202f%');
    expect(completeness(820_000)).toBe('82.00\u202f%');
  });

  it('shortens sizes without a jump at the border of a step', () => {
    expect(short(1_240_000)).toBe('1.24\u202fM');
    expect(short(999_960)).toBe('1.00\u202fM');
    expect(short(-15_300, true)).toBe('\u221215.3\u202fk');
    expect(short(12.5)).toBe('12.50');
    expect(short(0)).toBe('0');
    expect(count(7)).toBe('7');
    expect(count(15_300)).toBe('15.3\u202fk');
    expect(bytes(1_610_612_736)).toBe('1.5\u202fGiB');
    expect(bytes(12)).toBe('12\u202fB');
  });
});
