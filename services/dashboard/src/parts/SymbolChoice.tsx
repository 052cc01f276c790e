/** Which symbol the charts of all pages show: chosen once, kept for this browser. */
import { NativeSelect } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { askServer } from '@/api/queries.ts';
import { prefer, usePreferences } from '@/preferences/preferences.ts';

/** All that are followed, in the order of the settings. */
export function useSymbols(): readonly string[] {
  return useQuery({ ...askServer, select: (server) => server.symbols }).data ?? [];
}

/** What the person has chosen last, if it is followed; else the first; null while nobody knows. */
export function useSymbol(): string | null {
  const { symbol } = usePreferences();
  const symbols = useSymbols();
  return symbol !== null && (symbols.length === 0 || symbols.includes(symbol)) ? symbol : (symbols[0] ?? null);
}

export function SymbolChoice() {
  const symbol = useSymbol();
  const symbols = useSymbols();
  return (
    <NativeSelect
      size="xs"
      aria-label="Symbol"
      value={symbol ?? ''}
      data={symbols.length === 0 && symbol !== null ? [symbol] : [...symbols]}
      onChange={(event) => prefer({ symbol: event.currentTarget.value })}
    />
  );
}
