/** The names of strategies and symbols that this installation knows. */
import { useQuery } from '@tanstack/react-query';
import { askStrategies } from '@/api/queries.ts';
import { useSymbols } from '@/parts/SymbolChoice.tsx';

export function useNames() {
  const strategies = useQuery(askStrategies);
  return {
    strategies: strategies.data?.rows.map((row) => row.strategy) ?? [],
    symbols: useSymbols(),
  };
}
