/** What is done to one position: close a part of it, move its stop. */
import { SegmentedControl, TextInput } from '@mantine/core';
import { useState } from 'react';
import { fixed, inR, percent, plain, plainDecimals, signed, toNumber } from '@/format/numbers.ts';
import { CommandSheet } from '@/trading/CommandSheet.tsx';
import { Price } from '@/trading/Price.tsx';
import { distance, type LivePosition, worthAt } from '@/trading/positions.ts';
import { useMark } from '@/trading/prices.ts';
import * as commands from './commands.ts';
import { stopMove } from './meaning.ts';

interface PositionSheetProps {
  row: LivePosition;
  onClose: () => void;
}

const SHARES = ['0.25', '0.5', '0.75', '1'];

export function CloseSheet({ row, onClose }: PositionSheetProps) {
  const [share, setShare] = useState('1');
  const worth = worthAt(row, useMark(row.symbol));
  const part = Number(share);
  const quantity = Math.abs(toNumber(row.quantity) ?? 0);
  const made = worth.unrealised === null ? null : worth.unrealised * part;
  const decimals = plainDecimals(quantity);
  return (
    <CommandSheet
      title={`Close ${row.symbol}`}
      effect={
        <>
          {fixed(quantity * part, decimals)} of {fixed(quantity, decimals)} at market, near{' '}
          <Price symbol={row.symbol} value={worth.price} />: about {signed(made, 2)} USDT
          {worth.r !== null && ` (${inR(worth.r * part)})`} is realised, before fees.
          {part < 1 && ' The stop stays for the rest.'}
        </>
      }
      action={part === 1 ? 'Close all of it' : `Close ${percent(part, 0)}`}
      tone="danger"
      content={{ close: row.symbol, share, trade: row.trade_id }}
      send={(key, { reason }) => commands.close(key, row.symbol, share, row.trade_id, reason)}
      onClose={onClose}
    >
      <SegmentedControl
        size="xs"
        aria-label="How much of it"
        value={share}
        onChange={setShare}
        data={SHARES.map((value) => ({ value, label: percent(value, 0) }))}
      />
    </CommandSheet>
  );
}

export function MoveStopSheet({ row, onClose }: PositionSheetProps) {
  const [price, setPrice] = useState(row.stop ?? '');
  const mark = toNumber(useMark(row.symbol) ?? row.mark_price);
  const move = stopMove(row, price.trim(), mark);
  const isSame = toNumber(price) === toNumber(row.stop);
  const risk = toNumber(row.initial_risk);
  const r = (quote: number | null) => (quote === null || risk === null || risk === 0 ? '' : ` (${inR(quote / risk)})`);
  return (
    <CommandSheet
      title={`Move the stop of ${row.symbol}`}
      effect={
        <>
          At the stop: {signed(move.before, 2)} USDT{r(move.before)} → <strong>{signed(move.after, 2)} USDT</strong>
          {r(move.after)}, before costs. {!move.isTighter && 'It moves away from the price and raises the risk.'}
        </>
      }
      action="Move the stop"
      raisesRisk={!move.isTighter}
      trouble={isSame ? 'the stop is there already' : move.trouble}
      content={{ stop: price.trim(), symbol: row.symbol, trade: row.trade_id }}
      send={(key, { reason }) => commands.moveStop(key, row.symbol, price.trim(), row.trade_id, reason)}
      onClose={onClose}
    >
      <TextInput
        label="New stop"
        description={`Now ${plain(row.stop)}; this is ${percent(distance(price, mark), 2, true)} from the mark price`}
        inputMode="decimal"
        value={price}
        onChange={(event) => setPrice(event.currentTarget.value)}
      />
    </CommandSheet>
  );
}
