/** The gates of a signal in their order, and what each said. Those behind the first that was shut were not looked at. */

export type GateState = 'passed' | 'shut' | 'not looked at';

export interface GateResult {
  name: string;
  state: GateState;
  words: string;
}

interface Gate {
  name: string;
  holds: string;
  reasons: readonly string[];
}

const GATES: readonly Gate[] = [
  { name: 'enabled', holds: 'the strategy is enabled and not withdrawn', reasons: ['disabled'] },
  { name: 'trade feed', holds: 'the symbol’s trades are live', reasons: ['feed_not_live'] },
  {
    name: 'data',
    holds: 'price, ATR and the factors it insists on are known and young',
    reasons: ['warm_up', 'stale_input'],
  },
  { name: 'coverage', holds: 'each window of trades is known well enough', reasons: ['coverage'] },
  { name: 'ATR regime', holds: 'volatility is usual', reasons: ['atr_regime'] },
  { name: 'direction', holds: 'the direction is allowed and confirmed', reasons: ['direction_conflict'] },
  { name: 'cooldown', holds: 'the last signal is long enough ago', reasons: ['cooldown'] },
];
const BECAUSE = '; refused because ';

/** What the sentence says after its because; nothing for a signal that was emitted. */
export function refusalOf(sentence: string): string {
  const at = sentence.lastIndexOf(BECAUSE);
  return at < 0 ? '' : sentence.slice(at + BECAUSE.length);
}

/** `reason` null: every gate let it pass. One that is not among them stands last, shut. */
export function gatesOf(reason: string | null, sentence: string): readonly GateResult[] {
  const shut = GATES.findIndex((gate) => reason !== null && gate.reasons.includes(reason));
  const why = refusalOf(sentence);
  const results = GATES.map(({ name, holds }, index): GateResult => {
    if (reason === null || shut < 0 || index < shut) return { name, state: 'passed', words: holds };
    return index === shut
      ? { name, state: 'shut', words: why || holds }
      : { name, state: 'not looked at', words: holds };
  });
  if (reason === null || shut >= 0) return results;
  const unknown = results.map((gate): GateResult => ({ ...gate, state: 'not looked at' }));
  return [...unknown, { name: reason.replaceAll('_', ' '), state: 'shut', words: why }];
}
