/** What a command that a person fills in would do, in numbers, and why it cannot be meant. */
import { toNumber } from '@/format/numbers.ts';
import { type LivePosition, lossAtStop, sideOf } from '@/trading/positions.ts';

const DECIMAL = /^\d{1,15}(\.\d{1,18})?$/;

/** What the API takes as a price or an amount. */
export function isDecimal(text: string): boolean {
  return DECIMAL.test(text) && Number(text) > 0;
}

export interface StopMove {
  trouble: string | null;
  /** Whether it surely lowers what may be lost: then no second factor is needed. */
  isTighter: boolean;
  /** At the stop, in quote units; below 0: a loss. */
  before: number | null;
  after: number | null;
}

/** Moving the stop of a position to that price, seen from the newest mark price. */
export function stopMove(row: LivePosition, text: string, mark: number | null): StopMove {
  const side = sideOf(row.quantity);
  const before = lossAtStop(row, row.stop);
  if (!isDecimal(text)) return { trouble: 'give a price above 0', isTighter: false, before, after: null };
  const [price, stop] = [Number(text), toNumber(row.stop)];
  const isTighter = stop !== null && (side === 'long' ? price >= stop : price <= stop);
  const isPassed = mark !== null && (side === 'long' ? price >= mark : price <= mark);
  const trouble = isPassed ? 'the price is there already: close the position instead' : null;
  return { trouble, isTighter, before, after: lossAtStop(row, text) };
}

export interface Bracket {
  trouble: string | null;
  /** From the price to the stop, as a share of the price. */
  distance: number | null;
  /** Reward of the first target by the risk. */
  rewardByRisk: number | null;
  /** What is bought for the risk, before the venue's steps: base units and quote units. */
  quantity: number | null;
  notional: number | null;
}

export interface BracketAsked {
  direction: 'long' | 'short';
  stop: string;
  target: string;
  target2: string;
  risk: string;
}

const NOTHING = { distance: null, rewardByRisk: null, quantity: null, notional: null };

/** An entry at the mark price with that stop; `risk` is 1 R in quote units. */
export function bracketOf(asked: BracketAsked, mark: number | null): Bracket {
  const { direction, stop, target, target2, risk } = asked;
  if (!isDecimal(stop)) return { trouble: 'give the stop: it sizes the position', ...NOTHING };
  if (!isDecimal(risk)) return { trouble: '1 R must be an amount above 0', ...NOTHING };
  for (const [name, text] of [
    ['first', target],
    ['second', target2],
  ] as const) {
    if (text !== '' && !isDecimal(text)) return { trouble: `the ${name} target must be a price above 0`, ...NOTHING };
  }
  if (mark === null) return { trouble: null, ...NOTHING };
  const sign = direction === 'long' ? 1 : -1;
  const away = (mark - Number(stop)) * sign;
  if (away <= 0)
    return { trouble: `the stop of a ${direction} lies ${sign > 0 ? 'below' : 'above'} the price`, ...NOTHING };
  const gains = [target, target2].filter(Boolean).map((text) => (Number(text) - mark) * sign);
  const isBehind = gains.some((gain) => gain <= 0);
  const quantity = Number(risk) / away;
  return {
    trouble: isBehind ? `a target of a ${direction} lies ${sign > 0 ? 'above' : 'below'} the price` : null,
    distance: away / mark,
    rewardByRisk: gains[0] === undefined || isBehind ? null : gains[0] / away,
    quantity,
    notional: quantity * mark,
  };
}
