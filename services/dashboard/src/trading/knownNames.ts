/** The names of strategies and symbols that this installation knows. */
import { useQuery } from '@tanstack/react-query';
import { askRates, askStrategies } from '@/api/queries.ts';

export function useNames() {
  const strategies = useQuery(askStrategies);
  const rates = useQuery(askRates);
  return {
    strategies: strategies.data?.rows.map((row) => row.strategy) ?? [],
    symbols: [...(rates.data?.rates.map((rate) => rate.symbol) ?? []), ...(rates.data?.missing ?? [])],
  };
}
