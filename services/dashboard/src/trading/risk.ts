/** What the guard says of the account: the stream's newest word on top of what REST has. */
import { useQuery } from '@tanstack/react-query';
import type { Schema } from '@/api/client.ts';
import { askRisk } from '@/api/queries.ts';
import { toNumber } from '@/format/numbers.ts';
import type { Tone } from '@/parts/Mark.tsx';
import { useOne } from '@/stream/hooks.ts';
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

/** Of its breach, 0 to 1 and beyond; null: it cannot be told. A limit that lies below the warning counts downwards. */
export function share(measure: Pick<Measure, 'value' | 'warning' | 'breach'>): number | null {
  const [value, warning, breach] = [measure.value, measure.warning, measure.breach].map(toNumber);
  if (value == null || breach == null) return null;
  if (warning != null && breach < warning) return value <= 0 ? 1 : breach / value;
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

export function useRisk() {
  const asked = useQuery(askRisk);
  const account = useAccount();
  const live = useOne({ channel: 'risk' }, account);
  const known = asked.data?.accounts.find((each) => each.account === account) ?? null;
  const risk: RiskOfAccount | null = known !== null && live !== undefined ? { ...known, ...live } : known;
  return { asked, risk };
}
