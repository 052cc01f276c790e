/** Scores of all symbols and strategies, as cells of a heat map. */
import type { Indicators } from '@/stream/protocol.ts';

export type Score = Indicators['scores'][number];

export interface ScoreRow {
  symbol: string;
  features: Indicators;
  /** By strategy. */
  scores: ReadonlyMap<string, Score>;
  /** Nearest to its threshold, of any strategy: 1 is there. */
  nearest: number;
}

/** How near to its threshold, 0 and up. */
export function nearness({ score, threshold }: Pick<Score, 'score' | 'threshold'>): number {
  return threshold <= 0 ? 0 : score / threshold;
}

export function scoreRows(latest: Iterable<Indicators>): ScoreRow[] {
  return [...latest]
    .map((features) => {
      const scores = new Map(features.scores.map((score) => [score.strategy, score]));
      const nearest = Math.max(0, ...features.scores.map(nearness));
      return { symbol: features.symbol, features, scores, nearest };
    })
    .sort((one, other) => (one.symbol < other.symbol ? -1 : 1));
}

/** Every strategy that scores anything, by name. */
export function strategiesOf(rows: readonly ScoreRow[]): string[] {
  return [...new Set(rows.flatMap((row) => [...row.scores.keys()]))].sort();
}

/** How strong a cell's ground is, 0 to 5: a step is seen, a shade is not. */
export function heat(score: Pick<Score, 'score' | 'threshold'>): number {
  const near = nearness(score);
  return near >= 1 ? 5 : Math.min(4, Math.floor(near * 5));
}

/** What speaks loudest for and against, in words: `cvd momentum +31, vwap distance −8`. */
export function loudest(score: Score, most = 3): string {
  const parts = Object.entries(score.contributions ?? {}).sort((one, other) => Math.abs(other[1]) - Math.abs(one[1]));
  const words = parts.slice(0, most).map(([factor, part]) => {
    const points = Math.round(part * 100);
    return `${factor.replaceAll('_', ' ')} ${points > 0 ? '+' : points < 0 ? '−' : ''}${Math.abs(points)}`;
  });
  return words.join(', ') || 'no factor had an opinion';
}

/** The window that is known least of, 0 to 1; null: nobody says. */
export function leastCoverage(
  features: Pick<Indicators, 'coverage_5m' | 'coverage_30m' | 'coverage_4h'>,
): number | null {
  const known = [features.coverage_5m, features.coverage_30m, features.coverage_4h].filter((each) => each !== null);
  return known.length === 0 ? null : Math.min(...known);
}
