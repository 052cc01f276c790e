/** A price with the decimals of its symbol's tick: averages have many more, and what the venue sends often has noughts. */
import { decimalsOf, fixed, plainDecimals, type Quantity } from '@/format/numbers.ts';
import { Flashing } from '@/parts/Figures.tsx';
import { useOne } from '@/stream/hooks.ts';

/** Of a trade's price, which has the tick's; before one is known, those that the value itself has. */
export function useDecimals(symbol: string | null, value: Quantity): number {
  const traded = useOne({ channel: 'indicators' }, symbol)?.price;
  return traded ? decimalsOf(traded) : plainDecimals(value);
}

interface PriceProps {
  symbol: string | null;
  value: Quantity;
  /** It lives: a change is seen. */
  isFlashing?: boolean;
}

export function Price({ symbol, value, isFlashing = false }: PriceProps) {
  const text = fixed(value, useDecimals(symbol, value));
  return isFlashing ? <Flashing text={text} /> : <span>{text}</span>;
}
