/** How figures and times stand on the axes: as everywhere else on the page, and in the zone that was chosen. */
import type { ChartOptions, DeepPartial, Time } from 'lightweight-charts';
import { fixed, short } from '@/format/numbers.ts';
import { clock, date, moment, type Zone } from '@/format/time.ts';

/** Marks of this weight and above say seconds (the library's TickMarkType): year 0, month 1, day 2, time 3. */
const DAY_MARK = 2;
const SECONDS_MARK = 4;

/** What stands at a mark of the time axis. */
export function timeMark(ms: number, kind: number, zone: Zone): string {
  if (kind <= DAY_MARK) return date(ms, zone).slice(5);
  return kind >= SECONDS_MARK ? clock(ms, zone) : clock(ms, zone).slice(0, 5);
}

/** Both are needed: the axis has its own words, and the crosshair's label has. */
export function timesOf(zone: Zone): DeepPartial<ChartOptions> {
  return {
    timeScale: { tickMarkFormatter: (time: Time, kind: number) => timeMark(Number(time) * 1_000, kind, zone) },
    localization: { timeFormatter: (time: Time) => moment(Number(time) * 1_000, zone) },
  };
}

/** Prices with the decimals of the tick. */
export function priceFormat(decimals: number) {
  return { type: 'custom', formatter: (price: number) => fixed(price, decimals), minMove: 10 ** -decimals } as const;
}

/** Base units in three digits; `isSigned`: bought less sold. */
export function sizeFormat(isSigned: boolean) {
  return { type: 'custom', formatter: (size: number) => short(size, isSigned), minMove: 1e-6 } as const;
}

const LONGEST_NAME = 8;

/** A level's name in as few signs as tell it apart: it stands between the newest candle and the axis. */
export function levelName(names: readonly string[], what: string, isPaper: boolean): string {
  const [first = ''] = names;
  const cut = first.length > LONGEST_NAME ? `${first.slice(0, LONGEST_NAME - 1)}…` : first;
  const who = names.length > 1 ? `${names.length} ×` : cut;
  return [isPaper ? 'paper' : '', who, what].filter(Boolean).join(' ');
}
