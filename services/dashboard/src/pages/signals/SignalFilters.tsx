/** Strategy, symbol, outcome and span: what the list is narrowed to. */
import { SegmentedControl, Select } from '@mantine/core';
import { SPAN_NAMES, useFilter } from '@/trading/filters.ts';
import { useNames } from '@/trading/knownNames.ts';
import { choices } from './narrowing.ts';
import classes from './Signals.module.css';

const STATES = ['emitted', 'refused'];
const ALL = 'all';

/** Of the address: `?strategy=v52&symbol=BTCUSDT&state=refused&span=24h`. */
export function useSignalFilters() {
  const [strategy, setStrategy] = useFilter('strategy');
  const [symbol, setSymbol] = useFilter('symbol');
  const [state, setState] = useFilter('state', STATES);
  const [span, setSpan] = useFilter('span', SPAN_NAMES);
  return { strategy, setStrategy, symbol, setSymbol, state, setState, span, setSpan };
}

export function SignalFilterBar({ filters }: { filters: ReturnType<typeof useSignalFilters> }) {
  const names = useNames();
  return (
    <div className={classes.filters}>
      <Select
        size="xs"
        w={130}
        aria-label="Strategy"
        placeholder="All strategies"
        clearable
        data={choices(names.strategies, filters.strategy)}
        value={filters.strategy}
        onChange={filters.setStrategy}
      />
      <Select
        size="xs"
        w={140}
        aria-label="Symbol"
        placeholder="All symbols"
        clearable
        searchable
        data={choices(names.symbols, filters.symbol)}
        value={filters.symbol}
        onChange={filters.setSymbol}
      />
      <SegmentedControl
        size="xs"
        aria-label="Outcome"
        value={filters.state ?? ALL}
        onChange={(value) => filters.setState(value === ALL ? null : value)}
        data={[
          { value: ALL, label: 'All' },
          { value: 'emitted', label: 'Emitted' },
          { value: 'refused', label: 'Refused' },
        ]}
      />
      <SegmentedControl
        size="xs"
        aria-label="Since"
        value={filters.span ?? ALL}
        onChange={(value) => filters.setSpan(value === ALL ? null : value)}
        data={[...SPAN_NAMES.map((value) => ({ value, label: value })), { value: ALL, label: 'ever' }]}
      />
    </div>
  );
}
