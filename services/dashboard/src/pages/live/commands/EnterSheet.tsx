/** An entry by hand: sized from its stop, and checked like a signal. */
import { Group, NativeSelect, SegmentedControl, TextInput } from '@mantine/core';
import { useState } from 'react';
import { fixed, percent, short, toNumber } from '@/format/numbers.ts';
import { CommandSheet } from '@/trading/CommandSheet.tsx';
import { Price } from '@/trading/Price.tsx';
import { useMark } from '@/trading/prices.ts';
import * as commands from './commands.ts';
import { type Bracket, bracketOf } from './meaning.ts';

interface EnterSheetProps {
  symbols: readonly string[];
  /** As configured, in quote units. */
  risk: string;
  open: number;
  most: number;
  onClose: () => void;
}

function Effect({ bracket, risk, open, most }: { bracket: Bracket; risk: string; open: number; most: number }) {
  return (
    <>
      {open} → {open + 1} positions of {most} at most; <strong>worst case −{fixed(risk, 2)} USDT (−1 R)</strong> at the
      stop, before costs and gaps.
      {bracket.quantity !== null && (
        <>
          {' '}
          About {short(bracket.quantity)} for {short(bracket.notional)} USDT, stop {percent(bracket.distance, 2)} away
          {bracket.rewardByRisk !== null && `, first target ${fixed(bracket.rewardByRisk, 2)} R`}.
        </>
      )}
    </>
  );
}

interface Fields {
  direction: 'long' | 'short';
  stop: string;
  target: string;
  target2: string;
  risk: string;
}

export function EnterSheet({ symbols, risk, open, most, onClose }: EnterSheetProps) {
  const [symbol, setSymbol] = useState(symbols[0] ?? '');
  const [fields, setFields] = useState<Fields>({ direction: 'long', stop: '', target: '', target2: '', risk });
  const mark = toNumber(useMark(symbol));
  const bracket = bracketOf(fields, mark);
  const text = (name: 'stop' | 'target' | 'target2' | 'risk', label: string) => (
    <TextInput
      label={label}
      inputMode="decimal"
      w={110}
      value={fields[name]}
      onChange={(event) => setFields({ ...fields, [name]: event.currentTarget.value.trim() })}
    />
  );
  const entry = {
    symbol,
    direction: fields.direction,
    stop: fields.stop,
    take_profit_1: fields.target || null,
    take_profit_2: fields.target2 || null,
    risk: fields.risk,
  };
  return (
    <CommandSheet
      title="Enter by hand"
      effect={<Effect bracket={bracket} risk={fields.risk} open={open} most={most} />}
      action={`Enter ${fields.direction} at market`}
      confirmation={`${fields.direction} ${symbol}`}
      raisesRisk
      trouble={bracket.trouble}
      content={entry}
      send={(key, { reason }) => commands.enter(key, entry, reason)}
      onClose={onClose}
    >
      <Group gap="sm" align="end">
        <NativeSelect
          label="Symbol"
          w={130}
          data={[...symbols]}
          value={symbol}
          onChange={(event) => setSymbol(event.currentTarget.value)}
        />
        <SegmentedControl
          aria-label="Side"
          value={fields.direction}
          onChange={(direction) => setFields({ ...fields, direction: direction as Fields['direction'] })}
          data={[
            { value: 'long', label: '▲ long' },
            { value: 'short', label: '▼ short' },
          ]}
        />
        <span title="Mark price, USDT">
          mark <Price symbol={symbol} value={mark} />
        </span>
      </Group>
      <Group gap="sm" align="end">
        {text('stop', 'Stop')}
        {text('target', 'Target 1')}
        {text('target2', 'Target 2')}
        {text('risk', '1 R, USDT')}
      </Group>
    </CommandSheet>
  );
}
