/** Instants as people read them: the venue's days are UTC, so that is what stands there unless a person chose otherwise. */
import { UNKNOWN } from './numbers.ts';

export type Zone = 'utc' | 'local';
export type Instant = number | null | undefined;

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

interface Parts {
  date: string;
  time: string;
}

function two(number: number): string {
  return String(number).padStart(2, '0');
}

function parts(ms: number, zone: Zone): Parts {
  const at = new Date(zone === 'utc' ? ms : ms - new Date(ms).getTimezoneOffset() * MINUTE);
  return {
    date: `${at.getUTCFullYear()}-${two(at.getUTCMonth() + 1)}-${two(at.getUTCDate())}`,
    time: `${two(at.getUTCHours())}:${two(at.getUTCMinutes())}:${two(at.getUTCSeconds())}`,
  };
}

/** `UTC`, or what the machine's zone is called. */
export function zoneName(zone: Zone): string {
  return zone === 'utc' ? 'UTC' : Intl.DateTimeFormat().resolvedOptions().timeZone;
}

/** `21:04:07` */
export function clock(ms: Instant, zone: Zone = 'utc'): string {
  return ms === null || ms === undefined ? UNKNOWN : parts(ms, zone).time;
}

/** `2026-11-29` */
export function date(ms: Instant, zone: Zone = 'utc'): string {
  return ms === null || ms === undefined ? UNKNOWN : parts(ms, zone).date;
}

/** `2026-11-29 21:04:07` */
export function moment(ms: Instant, zone: Zone = 'utc'): string {
  if (ms === null || ms === undefined) return UNKNOWN;
  const { date: day, time } = parts(ms, zone);
  return `${day} ${time}`;
}

/** The exact instant with its zone, for a hover: `2026-11-29 21:04:07.123 UTC`. */
export function exact(ms: Instant, zone: Zone = 'utc'): string {
  if (ms === null || ms === undefined) return UNKNOWN;
  return `${moment(ms, zone)}.${String(ms % SECOND).padStart(3, '0')} ${zoneName(zone)}`;
}

/** A length of time in its two largest units: `4 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`. */
export function duration(ms: Instant): string {
  if (ms === null || ms === undefined) return UNKNOWN;
  const left = Math.max(0, ms);
  if (left < SECOND) return `${Math.round(left)} ms`;
  if (left < MINUTE) return `${Math.floor(left / SECOND)} s`;
  const pair = (unit: number, name: string, below: number, belowName: string) => {
    const rest = Math.floor((left % unit) / below);
    return `${Math.floor(left / unit)} ${name}${rest > 0 ? ` ${rest} ${belowName}` : ''}`;
  };
  if (left < HOUR) return pair(MINUTE, 'min', SECOND, 's');
  if (left < DAY) return pair(HOUR, 'h', MINUTE, 'min');
  return pair(DAY, 'd', HOUR, 'h');
}

/** How long ago, in one unit that changes rarely: `now`, `4 s ago`, `3 min ago`; what is to come: `in 2 h`. */
export function relative(ms: Instant, now: number): string {
  if (ms === null || ms === undefined) return UNKNOWN;
  const away = now - ms;
  const size = Math.abs(away);
  if (size < SECOND) return 'now';
  const units: [number, string][] = [
    [DAY, 'd'],
    [HOUR, 'h'],
    [MINUTE, 'min'],
    [SECOND, 's'],
  ];
  const [unit, name] = units.find(([length]) => size >= length) ?? [SECOND, 's'];
  const text = `${Math.floor(size / unit)} ${name}`;
  return away >= 0 ? `${text} ago` : `in ${text}`;
}
