/** The sheets of commands that need no more than a word: pause, resume, flatten, reset, lock, reconcile, cancel. */
import { NativeSelect } from '@mantine/core';
import { useState } from 'react';
import { CommandSheet } from '@/trading/CommandSheet.tsx';
import * as commands from './commands.ts';

interface SheetProps {
  onClose: () => void;
}

export function PauseSheet({ onClose }: SheetProps) {
  return (
    <CommandSheet
      title="Pause"
      effect="Nothing is entered until somebody resumes. Exits and stops go on; what is open stays open."
      action="Pause entries"
      confirmation="pause"
      content="pause"
      send={(key, { confirmation, reason }) => commands.pause(key, confirmation, reason)}
      onClose={onClose}
    />
  );
}

export function ResumeSheet({ onClose }: SheetProps) {
  return (
    <CommandSheet
      title="Resume"
      effect="Entries again, as far as the guard’s rules allow them. It ends a pause, not a circuit break."
      action="Resume entries"
      raisesRisk
      content="resume"
      send={(key, { reason }) => commands.resume(key, reason)}
      onClose={onClose}
    />
  );
}

export interface FlattenProps extends SheetProps {
  /** One symbol, or `all`. */
  symbol: string;
  open: number;
  /** What it would realise now, in quote units, before costs. */
  unrealised: number | null;
}

export function FlattenSheet({ symbol, open, unrealised, onClose }: FlattenProps) {
  const what = symbol === 'all' ? `all ${open} open positions` : `the position in ${symbol}`;
  const worth = unrealised === null ? '' : ` About ${unrealised.toFixed(2)} USDT is realised, before fees.`;
  return (
    <CommandSheet
      title={symbol === 'all' ? 'Flatten everything' : `Flatten ${symbol}`}
      effect={`The guard closes ${what} at market and cancels what would open there.${worth}`}
      action="Flatten at market"
      confirmation={`flatten ${symbol}`}
      tone="danger"
      content={{ flatten: symbol }}
      send={(key, { confirmation, reason }) => commands.flatten(key, symbol, confirmation, reason)}
      onClose={onClose}
    />
  );
}

export function ResetSheet({ breakNumber, onClose }: SheetProps & { breakNumber: number }) {
  return (
    <CommandSheet
      title={`End circuit break ${breakNumber}`}
      effect="The guard allows entries again, unless a rule still stands. Where another break has come since, nothing changes."
      action="Reset"
      raisesRisk
      content={{ reset: breakNumber }}
      send={(key, { reason }) => commands.reset(key, breakNumber, reason)}
      onClose={onClose}
    />
  );
}

export function UnlockSheet({ symbol, onClose }: SheetProps & { symbol: string }) {
  return (
    <CommandSheet
      title={`Unlock ${symbol}`}
      effect={`Entries in ${symbol} again, before its lock ends by itself.`}
      action="Unlock"
      raisesRisk
      content={{ unlock: symbol }}
      send={(key, { reason }) => commands.unlock(key, symbol, reason)}
      onClose={onClose}
    />
  );
}

export function SyncSheet({ onClose }: SheetProps) {
  return (
    <CommandSheet
      title="Reconcile now"
      effect="The executor compares its books with the venue and says what differed. It may take half a minute."
      action="Reconcile"
      content="sync"
      send={(key, { reason }) => commands.sync(key, reason)}
      onClose={onClose}
    />
  );
}

export function CancelSheet({ symbol, onClose }: SheetProps & { symbol: string }) {
  return (
    <CommandSheet
      title={`Cancel the entry in ${symbol}`}
      effect="What is not filled yet is given up; what is filled stays, and is protected."
      action="Cancel entry"
      content={{ cancel: symbol }}
      send={(key, { reason }) => commands.cancelEntry(key, symbol, reason)}
      onClose={onClose}
    />
  );
}

const HOUR = 3_600;
const SPANS = [
  { value: `${HOUR}`, label: '1 hour' },
  { value: `${4 * HOUR}`, label: '4 hours' },
  { value: `${24 * HOUR}`, label: '1 day' },
  { value: `${7 * 24 * HOUR}`, label: '7 days' },
];

export function LockSheet({ symbols, onClose }: SheetProps & { symbols: readonly string[] }) {
  const [symbol, setSymbol] = useState<string | null>(symbols[0] ?? null);
  const [seconds, setSeconds] = useState(`${HOUR}`);
  return (
    <CommandSheet
      title="Lock a symbol"
      effect="Nothing is entered in it for a while. What is open stays open, and a longer lock stays."
      action="Lock"
      trouble={symbol === null ? 'choose a symbol' : null}
      content={{ lock: symbol, seconds }}
      send={(key, { reason }) => commands.lock(key, symbol ?? '', Number(seconds), reason)}
      onClose={onClose}
    >
      <NativeSelect
        label="Symbol"
        data={[...symbols]}
        value={symbol ?? ''}
        onChange={(event) => setSymbol(event.currentTarget.value)}
      />
      <NativeSelect
        label="For"
        data={SPANS}
        value={seconds}
        onChange={(event) => setSeconds(event.currentTarget.value)}
      />
    </CommandSheet>
  );
}
