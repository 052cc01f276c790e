/** Numbers as a trader reads them: aligned by their decimals, thin spaces in thousands, a true minus, `–` for what is not known. */

/** What the API sends: money is decimal text, shares are numbers, and what nobody knows is null. */
export type Quantity = string | number | null | undefined;

export const UNKNOWN = '–';
const THIN = '\u202f';
const MINUS = '\u2212';

/** The number, or null for what is none. */
export function toNumber(value: Quantity): number | null {
  if (value === null || value === undefined || value === '') return null;
  const number = Number(value);
  return Number.isFinite(number) ? number : null;
}

/** How many decimals a text is written with: what comes from the venue has those of the symbol's tick. */
export function decimalsOf(text: string): number {
  const point = text.indexOf('.');
  return point < 0 ? 0 : text.length - point - 1;
}

const MOST_DECIMALS = 6;

/** Decimals that say something: no noughts at the end, and of an endless average six. */
export function plainDecimals(value: Quantity): number {
  const number = toNumber(value);
  return number === null ? 0 : decimalsOf(number.toFixed(MOST_DECIMALS).replace(/\.?0+$/, ''));
}

/** A quantity as it is, without noughts at its end. */
export function plain(value: Quantity): string {
  return fixed(value, plainDecimals(value));
}

function grouped(digits: string): string {
  const [whole = '', fraction] = digits.split('.');
  const spaced = whole.replace(/\B(?=(\d{3})+$)/g, THIN);
  return fraction === undefined ? spaced : `${spaced}.${fraction}`;
}

function written(number: number, decimals: number, sign: boolean): string {
  const digits = grouped(Math.abs(number).toFixed(decimals));
  // What rounds to nothing has no direction.
  const isZero = !/[1-9]/.test(digits);
  if (isZero) return digits;
  if (number < 0) return MINUS + digits;
  return sign ? `+${digits}` : digits;
}

/** A price or an amount with that many decimals: `64 120.50`. */
export function fixed(value: Quantity, decimals: number): string {
  const number = toNumber(value);
  return number === null ? UNKNOWN : written(number, decimals, false);
}

/** The same with its sign always: PnL, CVD, R. */
export function signed(value: Quantity, decimals: number): string {
  const number = toNumber(value);
  return number === null ? UNKNOWN : written(number, decimals, true);
}

/** A multiple of the risk of a trade: `+1.25 R`. */
export function inR(value: Quantity): string {
  const text = signed(value, 2);
  return text === UNKNOWN ? text : `${text}${THIN}R`;
}

/** A share of one as percent: 0.0512 is `5.12 %`. */
export function percent(share: Quantity, decimals = 2, sign = false): string {
  const number = toNumber(share);
  return number === null ? UNKNOWN : `${written(number * 100, decimals, sign)}${THIN}%`;
}

/** Parts per million as percent; what is not whole never rounds up to it. */
export function completeness(ppm: Quantity): string {
  const number = toNumber(ppm);
  if (number === null) return UNKNOWN;
  return `${number >= 1_000_000 ? '100' : (Math.floor(number / 100) / 100).toFixed(2)}${THIN}%`;
}

const STEPS: readonly (readonly [number, string])[] = [
  [1e12, 'T'],
  [1e9, 'G'],
  [1e6, 'M'],
  [1e3, 'k'],
];

/** Three digits and a letter, where the size is what matters: `1.24 M`. */
export function short(value: Quantity, sign = false): string {
  const number = toNumber(value);
  if (number === null) return UNKNOWN;
  const size = Math.abs(number);
  // 999 950 is 1.00 M and not 1 000 k.
  const step = STEPS.find(([least]) => size >= least * 0.9995);
  if (step === undefined) return written(number, size === 0 || size >= 100 ? 0 : 2, sign);
  const scaled = number / step[0];
  const decimals = Math.abs(scaled) >= 99.95 ? 0 : Math.abs(scaled) >= 9.995 ? 1 : 2;
  return `${written(scaled, decimals, sign)}${THIN}${step[1]}`;
}

/** How many: whole below a thousand, then as `short`. */
export function count(value: Quantity): string {
  const number = toNumber(value);
  return number !== null && Math.abs(number) < 1_000 ? fixed(number, 0) : short(value);
}

/** A size in memory or on disk: `1.5 GiB`. */
export function bytes(value: Quantity): string {
  const number = toNumber(value);
  if (number === null) return UNKNOWN;
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  const step = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log2(Math.max(1, number)) / 10)));
  return `${(number / 2 ** (10 * step)).toFixed(step === 0 ? 0 : 1)}${THIN}${units[step] ?? ''}`;
}

/** -1, 0 or 1, for colour and arrow; 0 also for what is not known. */
export function direction(value: Quantity): -1 | 0 | 1 {
  const number = toNumber(value) ?? 0;
  return number > 0 ? 1 : number < 0 ? -1 : 0;
}
