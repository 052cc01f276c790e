/** The sheets of commands to the account that need no more than a word: pause, resume, flatten, reset, lock, reconcile. */
import { NativeSelect } from '@mantine/core';
import { type ReactNode, useState } from 'react';
import { inR, signed } from '@/format/numbers.ts';
import { CommandSheet } from '@/trading/CommandSheet.tsx';
import type { RiskOfAccount } from '@/trading/risk.ts';
import { Allowed } from './Allowed.tsx';
import * as commands from './commands.ts';

interface SheetProps {
  onClose: () => void;
}

export function PauseSheet({ onClose, onResume }: SheetProps & { onResume: () => void }) {
  return (
    <CommandSheet
      title="Pause"
      effect="Nothing is entered until somebody resumes. Exits and stops go on; what is open stays open."
      action="Pause entries"
      confirmation="pause"
      content="pause"
      send={(key, { confirmation, reason }) => commands.pause(key, confirmation, reason)}
      undo={{ action: 'Resume…', onUndo: onResume }}
      onClose={onClose}
    />
  );
}

export function ResumeSheet({ onClose, onPause }: SheetProps & { onPause: () => void }) {
  return (
    <CommandSheet
      title="Resume"
      effect={
        <>
          Entries again, as far as the guard’s rules allow them. It ends a pause, not a circuit break.
          <Allowed />
        </>
      }
      action="Resume entries"
      raisesRisk
      content="resume"
      send={(key, { reason }) => commands.resume(key, reason)}
      undo={{ action: 'Pause…', onUndo: onPause }}
      onClose={onClose}
    />
  );
}

export interface FlattenProps extends SheetProps {
  /** One symbol, or `all`. */
  symbol: string;
  effect: ReactNode;
}

/** Nothing keeps from it, not even that nothing seems to be held: what is shown may be old. */
export function FlattenSheet({ symbol, effect, onClose }: FlattenProps) {
  return (
    <CommandSheet
      title={symbol === 'all' ? 'Flatten everything' : `Flatten ${symbol}`}
      effect={effect}
      action="Flatten at market"
      confirmation={`flatten ${symbol}`}
      tone="danger"
      content={{ flatten: symbol }}
      send={(key, { confirmation, reason }) => commands.flatten(key, symbol, confirmation, reason)}
      onClose={onClose}
    />
  );
}

interface FlattenAllProps extends SheetProps {
  open: number;
  /** What it would realise now, in quote units, before costs. */
  unrealised: number | null;
}

export function FlattenAllSheet({ open, unrealised, onClose }: FlattenAllProps) {
  const worth =
    unrealised === null
      ? 'What that realises is not known.'
      : `About ${signed(unrealised, 2)} USDT is realised, before fees.`;
  const effect = `The guard closes all ${open} open positions at market and cancels what would open there. ${worth}`;
  return <FlattenSheet symbol="all" effect={effect} onClose={onClose} />;
}

export function ResetSheet({ risk, onClose }: SheetProps & { risk: RiskOfAccount | null }) {
  const breakNumber = risk?.break_number ?? 0;
  const standing = (risk?.measures ?? []).filter((measure) => measure.level === 'break');
  return (
    <CommandSheet
      title={`End circuit break ${breakNumber}`}
      effect={
        <>
          The guard allows entries again, unless a rule still stands. Where another break has come since, nothing
          changes. The day by its count: {inR(risk?.daily_pnl_r)}.
          <Allowed />
          {standing.length > 0 && (
            <p>▲ At a break even now, and would break it again: {standing.map((each) => each.sentence).join('; ')}.</p>
          )}
        </>
      }
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
      effect={
        <>
          Entries in {symbol} again, before its lock ends by itself.
          <Allowed symbol={symbol} />
        </>
      }
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

const HOUR = 3_600;
const SPANS = [
  { value: `${HOUR}`, label: '1 hour' },
  { value: `${4 * HOUR}`, label: '4 hours' },
  { value: `${24 * HOUR}`, label: '1 day' },
  { value: `${7 * 24 * HOUR}`, label: '7 days' },
];

interface LockProps extends SheetProps {
  symbols: readonly string[];
  onUnlock: (symbol: string) => void;
}

export function LockSheet({ symbols, onUnlock, onClose }: LockProps) {
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
      undo={symbol === null ? undefined : { action: 'Unlock…', onUndo: () => onUnlock(symbol) }}
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
