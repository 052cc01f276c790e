/** Length of a candle or bar; on the keys 1 to 9 and 0 where the page wants that. */
import { NativeSelect, SegmentedControl } from '@mantine/core';
import { useMediaQuery } from '@mantine/hooks';
import type { Interval } from './tape.ts';

const ALL: readonly Interval[] = ['1s', '5s', '15s', '1m', '3m', '5m', '15m', '30m', '1h', '4h', '1d'];

export function IntervalChoice({ value, onChange }: { value: Interval; onChange: (interval: Interval) => void }) {
  const isNarrow = useMediaQuery('(max-width: 767px)');
  if (isNarrow) {
    return (
      <NativeSelect
        size="xs"
        aria-label="Interval"
        value={value}
        data={[...ALL]}
        onChange={(event) => onChange(event.currentTarget.value as Interval)}
      />
    );
  }
  return (
    <SegmentedControl
      size="xs"
      aria-label="Interval"
      value={value}
      onChange={(chosen) => onChange(chosen as Interval)}
      data={[...ALL]}
    />
  );
}
