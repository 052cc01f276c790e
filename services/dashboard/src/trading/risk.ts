/** What the guard says of the account: the stream's newest word on top of what REST has. */
import { useQuery } from '@tanstack/react-query';
import type { Schema } from '@/api/client.ts';
import { askRisk } from '@/api/queries.ts';
import { toNumber } from '@/format/numbers.ts';
import type { Tone } from '@/parts/Mark.tsx';
import { isNewer } from '@/stream/freshness.ts';
import { useFreshness, useOne } from '@/stream/hooks.ts';
import type { Risk } from '@/stream/protocol.ts';
import { useAccount } from './livePositions.ts';

export type RiskOfAccount = Schema<'RiskOfAccount'>;
export type Measure = RiskOfAccount['measures'][number];

export const LEVEL_TONES: Record<Measure['level'], Tone> = {
  normal: 'good',
  warning: 'degraded',
  unknown: 'degraded',
  break: 'danger',
};

const GRAVITY: Record<Measure['level'], number> = { break: 0, warning: 1, unknown: 2, normal: 3 };

/** What a floor's value is at best, where it has such an end. */
const BEST: Readonly<Record<string, number>> = { data_completeness: 100 };

/**
 * Of its breach, 0 to 1 and beyond; null: it cannot be told. A limit that lies below the warning is a floor: 1 is there, and 0 as far above
 * the warning as that is above the floor, or at the best that there is.
 */
export function share(measure: Pick<Measure, 'rule' | 'value' | 'warning' | 'breach'>): number | null {
  const [value, warning, breach] = [measure.value, measure.warning, measure.breach].map(toNumber);
  if (value == null || breach == null) return null;
  if (warning != null && breach < warning) {
    const top = BEST[measure.rule] ?? 2 * warning - breach;
    return Math.min(1, Math.max(0, (top - value) / (top - breach)));
  }
  return breach === 0 ? null : Math.max(0, value / breach);
}

/** The gravest first, then the one that is nearest to its limit. */
export function byGravity(measures: readonly Measure[]): Measure[] {
  return [...measures].sort(
    (one, other) =>
      GRAVITY[one.level] - GRAVITY[other.level] ||
      (share(other) ?? -1) - (share(one) ?? -1) ||
      (one.rule < other.rule ? -1 : 1),
  );
}

export interface RuleNow {
  /** The gravest of the rule. */
  measure: Measure;
  /** What the rule sees elsewhere, such as of other symbols. */
  others: readonly Measure[];
}

/** Each rule once, the gravest first: a rule that looks at each symbol has a measure for each. */
export function byRule(measures: readonly Measure[]): RuleNow[] {
  const rules = new Map<string, Measure[]>();
  for (const measure of byGravity(measures)) rules.set(measure.rule, [...(rules.get(measure.rule) ?? []), measure]);
  return [...rules.values()].flatMap(([measure, ...others]) => (measure === undefined ? [] : [{ measure, others }]));
}

/** What REST knows, with the stream's word on top of it: not of a guard that is silent, whose last word may have allowed everything. */
export function riskNow(known: RiskOfAccount | null, live: Risk | undefined): RiskOfAccount | null {
  return known === null || live === undefined || known.guard.silent ? known : { ...known, ...live };
}

export function useRisk() {
  const asked = useQuery(askRisk);
  const account = useAccount();
  const live = useOne({ channel: 'risk' }, account);
  const isLive = isNewer(useFreshness(), asked.dataUpdatedAt);
  const known = asked.data?.accounts.find((each) => each.account === account) ?? null;
  return { asked, risk: riskNow(known, isLive ? live : undefined) };
}
