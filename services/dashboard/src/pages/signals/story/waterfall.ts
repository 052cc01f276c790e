/** Contributions one after the other, from nothing to the score: where each bar begins and ends. */

export interface Contribution {
  factor: string;
  value: number;
  weight: number;
  contribution: number;
  omitted: string | null;
  coverage: number | null;
}

export interface Step extends Contribution {
  /** The score before and after it, -100 to 100; above 0: long. */
  from: number;
  to: number;
}

export interface Waterfall {
  steps: readonly Step[];
  total: number;
  /** The farthest that must be seen on either side. */
  reach: number;
}

function number(value: unknown): number {
  return typeof value === 'number' && Number.isFinite(value) ? value : 0;
}

/** A contribution as the event has it. */
export function contributionOf(part: Readonly<Record<string, unknown>>): Contribution {
  return {
    factor: String(part.factor ?? 'unknown'),
    value: number(part.value),
    weight: number(part.weight),
    contribution: number(part.contribution),
    omitted: typeof part.omitted === 'string' ? part.omitted : null,
    coverage: typeof part.coverage === 'number' ? part.coverage : null,
  };
}

/** Contributions are shares of one and add up to the score (docs/decisions/0009): votes first, then what lowers them. */
export function waterfallOf(parts: readonly Contribution[], threshold: number): Waterfall {
  let total = 0;
  const steps = parts.map((part) => {
    const from = total;
    total += part.contribution * 100;
    return { ...part, from, to: total };
  });
  const ends = steps.flatMap((step) => [Math.abs(step.from), Math.abs(step.to)]);
  return { steps, total, reach: Math.max(threshold, 10, ...ends) * 1.08 };
}

/** Where a score lies on an axis from -reach to reach, 0 to 100. */
export function place(score: number, reach: number): number {
  return ((Math.min(reach, Math.max(-reach, score)) + reach) / (2 * reach)) * 100;
}
