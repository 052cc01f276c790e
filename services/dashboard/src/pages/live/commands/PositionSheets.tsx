/** What is done to one position: close a part of it, move its stop, flatten it, cancel its entry. */
import { SegmentedControl, TextInput } from '@mantine/core';
import { useState } from 'react';
import { fixed, inR, percent, plain, plainDecimals, signed, toNumber } from '@/format/numbers.ts';
import { CommandSheet } from '@/trading/CommandSheet.tsx';
import { Price } from '@/trading/Price.tsx';
import { distance, type LivePosition, worthAt } from '@/trading/positions.ts';
import { useMark } from '@/trading/prices.ts';
import * as commands from './commands.ts';
import { stopMove } from './meaning.ts';
import { FlattenSheet } from './Sheets.tsx';

interface PositionSheetProps {
  /** As it is now, or was last. */
  row: LivePosition;
  /** Why it is not held any more; null: it is. */
  gone: string | null;
  /** What is proposed as its stop, where it is not the one that stands. */
  stop?: string | undefined;
  onMoveBack: (stop: string) => void;
  onClose: () => void;
}

/** What closing so much of it realises now. */
function Realised({ row, part }: { row: LivePosition; part: number }) {
  const worth = worthAt(row, useMark(row.symbol));
  const made = worth.unrealised === null ? null : worth.unrealised * part;
  const quantity = Math.abs(toNumber(row.quantity) ?? 0);
  const decimals = plainDecimals(quantity);
  return (
    <>
      {fixed(quantity * part, decimals)} of {fixed(quantity, decimals)} at market, near{' '}
      <Price symbol={row.symbol} value={worth.price} />: about {signed(made, 2)} USDT
      {worth.r !== null && ` (${inR(worth.r * part)})`} is realised, before fees.
    </>
  );
}

export function FlattenOneSheet({ row, gone, onClose }: PositionSheetProps) {
  const effect = (
    <>
      The guard closes the position in {row.symbol} and cancels what would open there:{' '}
      {gone === null ? <Realised row={row} part={1} /> : <strong>▲ {gone}.</strong>}
    </>
  );
  return <FlattenSheet symbol={row.symbol} effect={effect} onClose={onClose} />;
}

export function CancelSheet({ row, gone, onClose }: PositionSheetProps) {
  return (
    <CommandSheet
      title={`Cancel the entry in ${row.symbol}`}
      effect={
        <>
          What is not filled yet is given up; what is filled stays, and is protected:{' '}
          {gone === null ? `${plain(Math.abs(toNumber(row.quantity) ?? 0))} so far.` : <strong>▲ {gone}.</strong>}
        </>
      }
      action="Cancel entry"
      content={{ cancel: row.symbol, trade: row.trade_id }}
      send={(key, { reason }) => commands.cancelEntry(key, row.symbol, reason)}
      onClose={onClose}
    />
  );
}

const SHARES = ['0.25', '0.5', '0.75', '1'];

export function CloseSheet({ row, gone, onClose }: PositionSheetProps) {
  const [share, setShare] = useState('1');
  const part = Number(share);
  return (
    <CommandSheet
      title={`Close ${row.symbol}`}
      effect={
        <>
          <Realised row={row} part={part} />
          {part < 1 && ' The stop stays for the rest.'}
        </>
      }
      action={part === 1 ? 'Close all of it' : `Close ${percent(part, 0)}`}
      tone="danger"
      trouble={gone}
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

export function MoveStopSheet({ row, gone, stop, onMoveBack, onClose }: PositionSheetProps) {
  const [price, setPrice] = useState(stop ?? row.stop ?? '');
  const [former] = useState(row.stop);
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
      trouble={gone ?? (isSame ? 'the stop is there already' : move.trouble)}
      content={{ stop: price.trim(), symbol: row.symbol, trade: row.trade_id }}
      send={(key, { reason }) => commands.moveStop(key, row.symbol, price.trim(), row.trade_id, reason)}
      undo={former === null ? undefined : { action: 'Move it back…', onUndo: () => onMoveBack(former) }}
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
