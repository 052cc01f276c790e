/** What may be entered once entries are allowed again, in numbers: what a person accepts who resumes, resets or unlocks. */
import { fixed, inR, signed, toNumber } from '@/format/numbers.ts';
import { listOf, ownName, type Texts } from '../config/config.ts';

export interface Allowance {
  open: number;
  /** At once, as configured. */
  most: number;
  /** How many more of them the configuration lets in now; each risks 1 R. */
  more: number;
  /** What those lose at their stops, in quote units. */
  worst: number | null;
  /** No strategy may trade: entries are by hand only. */
  isByHandOnly: boolean;
}

export interface Standing {
  /** Open or being entered. */
  open: number;
  /** Their symbols: none of them is entered once more. */
  held: readonly string[];
  /** Of what entries would be allowed again. */
  symbols: readonly string[];
}

/** The worst of it: the symbols that risk most are entered first. */
export function allowanceOf(texts: Texts, { open, held, symbols }: Standing): Allowance {
  const only = listOf(texts.symbols ?? '');
  const never = listOf(texts.blacklist ?? '');
  const risks = symbols
    .filter((symbol) => (only.length === 0 || only.includes(symbol)) && !never.includes(symbol))
    .filter((symbol) => !held.includes(symbol))
    .map((symbol) => toNumber(texts[ownName(symbol, 'risk_per_trade')] ?? texts.risk_per_trade))
    .sort((one, other) => (other ?? Number.POSITIVE_INFINITY) - (one ?? Number.POSITIVE_INFINITY));
  const most = toNumber(texts.max_positions) ?? 0;
  const more = Math.min(risks.length, Math.max(0, most - open));
  const worst = risks
    .slice(0, more)
    .reduce<number | null>((sum, risk) => (sum === null || risk === null ? null : sum - risk), 0);
  return { open, most, more, worst, isByHandOnly: listOf(texts.strategies ?? '').length === 0 };
}

/** `2 → 5 positions: worst case −3.00 R (−30.00 USDT) more, at their stops and before costs.` */
export function allowanceWords({ open, most, more, worst, isByHandOnly }: Allowance): string {
  const hand = isByHandOnly ? ' No strategy may trade: it is about entries by hand.' : '';
  if (more === 0) {
    return open >= most
      ? `${fixed(open, 0)} of ${fixed(most, 0)} positions are taken: nothing more is entered until one closes.${hand}`
      : `What may trade lets nothing more in there: the worst case stays as it is.${hand}`;
  }
  const quote = worst === null ? '' : ` (${signed(worst, 2)} USDT)`;
  return `${open} → ${open + more} positions at most: worst case ${inR(-more)}${quote} more, at their stops and before costs.${hand}`;
}
