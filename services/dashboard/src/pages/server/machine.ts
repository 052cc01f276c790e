/** What the server says of itself, as words and warnings. */
import type { Schema } from '@/api/client.ts';
import { short } from '@/format/numbers.ts';
import type { Tone } from '@/parts/Mark.tsx';

export type Service = Schema<'ServiceAnswer'>;
export type Machine = Schema<'MachineAnswer'>;

/** More records than this are not read in a moment. */
const MUCH_LAG = 5_000;

export interface Word {
  tone: Tone;
  word: string;
  /** What it waits for. */
  why: string;
}

/** How a service is, in one word. */
export function stateOf(service: Service): Word {
  const waits = Object.entries(service.missing).map(([what, why]) => `${what.replaceAll('_', ' ')}: ${why}`);
  const why = waits.join('; ');
  if (service.ready === null)
    return { tone: 'neutral', word: 'not known', why: why || 'it has no health port that we can ask' };
  if (!service.ready) return { tone: 'danger', word: 'not ready', why: why || 'it does not answer' };
  if ((service.lag_records ?? 0) > MUCH_LAG)
    return { tone: 'degraded', word: 'behind', why: 'it reads slower than its topics grow' };
  return { tone: 'good', word: 'ready', why };
}

/** The paces that say most, largest first: `410 rows written/s`. */
export function paceOf(service: Service): string {
  const paces = Object.entries(service.per_second).sort(([, one], [, other]) => other - one);
  return paces
    .filter(([, pace]) => pace >= 0.05)
    .slice(0, 3)
    .map(([what, pace]) => `${short(pace)} ${what.replaceAll('_', ' ')}`)
    .join(', ');
}

/** The share of memory or disk that is in use, and how bad that is. */
export function usage(free: number, total: number): { share: number | null; tone: Tone } {
  if (total <= 0) return { share: null, tone: 'neutral' };
  const share = 1 - free / total;
  return { share, tone: share > 0.95 ? 'danger' : share > 0.85 ? 'degraded' : 'good' };
}

/** Services in trouble first, then by name: one looks for what is wrong. */
export function troubledFirst(services: readonly Service[]): Service[] {
  const rank: Record<Tone, number> = { danger: 0, degraded: 1, neutral: 2, accent: 3, production: 3, good: 3 };
  return [...services].sort(
    (one, other) => rank[stateOf(one).tone] - rank[stateOf(other).tone] || one.name.localeCompare(other.name),
  );
}
