import { describe, expect, it } from 'vitest';
import { UNKNOWN } from './numbers.ts';
import { clock, date, duration, exact, moment, relative } from './time.ts';

const AT = Date.UTC(2026, 10, 29, 21, 4, 7, 45);

describe('times', () => {
  it('are UTC unless asked otherwise', () => {
    expect(clock(AT)).toBe('21:04:07');
    expect(date(AT)).toBe('2026-11-29');
    expect(moment(AT)).toBe('2026-11-29 21:04:07');
    expect(exact(AT)).toBe('2026-11-29 21:04:07.045 UTC');
  });

  it('are unknown where nobody has said one, also at the epoch', () => {
    for (const write of [clock, date, moment, exact, duration]) expect(write(null)).toBe(UNKNOWN);
    expect(relative(undefined, AT)).toBe(UNKNOWN);
    expect(moment(0)).toBe('1970-01-01 00:00:00');
  });

  it('are told relative to now in one unit', () => {
    expect(relative(AT, AT + 400)).toBe('now');
    expect(relative(AT, AT + 4_200)).toBe('4 s ago');
    expect(relative(AT, AT + 200_000)).toBe('3 min ago');
    expect(relative(AT + 7_200_000, AT)).toBe('in 2 h');
    expect(relative(AT, AT + 3 * 86_400_000)).toBe('3 d ago');
  });

  it('say lengths in their two largest units', () => {
    expect(duration(320)).toBe('320 ms');
    expect(duration(200_000)).toBe('3 min 20 s');
    expect(duration(7_500_000)).toBe('2 h 5 min');
    expect(duration(86_400_000)).toBe('1 d');
  });
});
