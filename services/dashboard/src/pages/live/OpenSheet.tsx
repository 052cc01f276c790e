/** The sheet that is open: one at a time, and what is done to a position knows how that position is now. */
import { Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useMemo, useState } from 'react';
import { Sheet } from '@/parts/Sheet.tsx';
import { useNames } from '@/trading/knownNames.ts';
import { useLivePositions, useUnrealised } from '@/trading/livePositions.ts';
import type { Deed } from '@/trading/PositionsPanel.tsx';
import { type Meant, whyGone } from '@/trading/positions.ts';
import { useRisk } from '@/trading/risk.ts';
import type { Told } from '@/trading/told.ts';
import { askConfig } from './asking.ts';
import { EnterSheet } from './commands/EnterSheet.tsx';
import { CancelSheet, CloseSheet, FlattenOneSheet, MoveStopSheet } from './commands/PositionSheets.tsx';
import {
  FlattenAllSheet,
  LockSheet,
  PauseSheet,
  ResetSheet,
  ResumeSheet,
  SyncSheet,
  UnlockSheet,
} from './commands/Sheets.tsx';
import { textsOf } from './config/config.ts';

/** Of a position not the position is kept but which one is meant; `stop`: what is proposed as its stop. */
export type Open = { told: Told } | { unlock: string } | ({ deed: Deed; stop?: string } & Meant) | null;

interface OpenSheetProps<O = Open> {
  open: O;
  /** Another sheet in its place, or none. */
  onGo: (open: Open) => void;
}

const SHEETS = { close: CloseSheet, move: MoveStopSheet, flatten: FlattenOneSheet, cancel: CancelSheet } as const;

function PositionSheet({ open, onGo }: OpenSheetProps<Extract<Open, { deed: Deed }>>) {
  const { rows } = useLivePositions();
  const gone = whyGone(rows, open);
  const now = gone === null ? (rows.find((row) => row.symbol === open.symbol) ?? null) : null;
  // What was held last stays on the sheet when it is gone, so that the answer to a command does not vanish with it.
  const [last, setLast] = useState(now);
  if (now !== null && now !== last) setLast(now);
  const row = now ?? last;
  if (row === null) {
    return (
      <Sheet title={open.symbol} onClose={() => onGo(null)}>
        <Text size="sm" p="sm" role="status">
          ▲ {gone}.
        </Text>
      </Sheet>
    );
  }
  const Content = SHEETS[open.deed];
  const onUndo = (stop: string) => onGo({ ...open, deed: 'move', stop });
  return <Content row={row} gone={gone} stop={open.stop} onMoveBack={onUndo} onClose={() => onGo(null)} />;
}

function AccountSheet({ open, onGo }: OpenSheetProps<Extract<Open, { told: Told }>>) {
  const names = useNames();
  const { rows } = useLivePositions();
  const unrealised = useUnrealised();
  const { risk } = useRisk();
  const config = useQuery(askConfig);
  const texts = useMemo(() => textsOf(config.data?.document ?? {}), [config.data]);
  const onClose = () => onGo(null);
  switch (open.told) {
    case 'pause':
      return <PauseSheet onClose={onClose} onResume={() => onGo({ told: 'resume' })} />;
    case 'resume':
      return <ResumeSheet onClose={onClose} onPause={() => onGo({ told: 'pause' })} />;
    case 'sync':
      return <SyncSheet onClose={onClose} />;
    case 'lock':
      return <LockSheet symbols={names.symbols} onClose={onClose} onUnlock={(unlock) => onGo({ unlock })} />;
    case 'reset':
      return <ResetSheet risk={risk} onClose={onClose} />;
    case 'flatten':
      return <FlattenAllSheet open={rows.length} unrealised={unrealised} onClose={onClose} />;
    case 'enter':
      return (
        <EnterSheet
          symbols={names.symbols}
          risk={texts.risk_per_trade ?? ''}
          open={rows.length}
          most={Number(texts.max_positions)}
          onClose={onClose}
        />
      );
  }
}

export function OpenSheet({ open, onGo }: OpenSheetProps) {
  if (open === null) return null;
  if ('told' in open) return <AccountSheet key={open.told} open={open} onGo={onGo} />;
  if ('unlock' in open) return <UnlockSheet key={open.unlock} symbol={open.unlock} onClose={() => onGo(null)} />;
  return <PositionSheet key={`${open.deed} ${open.symbol} ${open.stop ?? ''}`} open={open} onGo={onGo} />;
}
