/** `/live`: the account: is it safe, what does it hold, what was done, what may trade; and everything that a person may tell it. */
import { Tabs } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useMemo, useState } from 'react';
import { useFilter } from '@/trading/filters.ts';
import { useNames } from '@/trading/knownNames.ts';
import { useLivePositions, useUnrealised } from '@/trading/livePositions.ts';
import { type Deed, PositionsPanel } from '@/trading/PositionsPanel.tsx';
import { ProfitPanel } from '@/trading/ProfitPanel.tsx';
import type { LivePosition } from '@/trading/positions.ts';
import { useRefresh } from '@/trading/refreshing.ts';
import { useRisk } from '@/trading/risk.ts';
import { Account, type Told } from './Account.tsx';
import { askConfig } from './asking.ts';
import { Made } from './Curve.tsx';
import { EnterSheet } from './commands/EnterSheet.tsx';
import { CloseSheet, MoveStopSheet } from './commands/PositionSheets.tsx';
import {
  CancelSheet,
  FlattenSheet,
  LockSheet,
  PauseSheet,
  ResetSheet,
  ResumeSheet,
  SyncSheet,
  UnlockSheet,
} from './commands/Sheets.tsx';
import { ConfigPanel } from './config/ConfigPanel.tsx';
import { textsOf } from './config/config.ts';
import { Commands, Events, Orders } from './Lists.tsx';
import classes from './Live.module.css';
import { RiskPanel } from './RiskPanel.tsx';
import { useRights } from './rights.ts';
import { Trades } from './Trades.tsx';

/** Which sheet is open; one at a time. */
type Open = { told: Told } | { unlock: string } | { deed: Deed; row: LivePosition } | null;

function PositionSheet({ deed, row, onClose }: { deed: Deed; row: LivePosition; onClose: () => void }) {
  if (deed === 'close') return <CloseSheet row={row} onClose={onClose} />;
  if (deed === 'move') return <MoveStopSheet row={row} onClose={onClose} />;
  if (deed === 'cancel') return <CancelSheet symbol={row.symbol} onClose={onClose} />;
  return <FlattenSheet symbol={row.symbol} open={1} unrealised={null} onClose={onClose} />;
}

function AccountSheet({ told, onClose }: { told: Told; onClose: () => void }) {
  const names = useNames();
  const { rows } = useLivePositions();
  const unrealised = useUnrealised();
  const { risk } = useRisk();
  const config = useQuery(askConfig);
  const texts = useMemo(() => textsOf(config.data?.document ?? {}), [config.data]);
  if (told === 'pause') return <PauseSheet onClose={onClose} />;
  if (told === 'resume') return <ResumeSheet onClose={onClose} />;
  if (told === 'sync') return <SyncSheet onClose={onClose} />;
  if (told === 'lock') return <LockSheet symbols={names.symbols} onClose={onClose} />;
  if (told === 'reset') return <ResetSheet breakNumber={risk?.break_number ?? 0} onClose={onClose} />;
  if (told === 'flatten') {
    return <FlattenSheet symbol="all" open={rows.length} unrealised={unrealised} onClose={onClose} />;
  }
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

function Sheet({ open, onClose }: { open: Open; onClose: () => void }) {
  if (open === null) return null;
  if ('told' in open) return <AccountSheet key={open.told} told={open.told} onClose={onClose} />;
  if ('unlock' in open) return <UnlockSheet key={open.unlock} symbol={open.unlock} onClose={onClose} />;
  return <PositionSheet key={`${open.deed} ${open.row.symbol}`} deed={open.deed} row={open.row} onClose={onClose} />;
}

const TABS = [
  ['trades', 'Trades', Trades],
  ['orders', 'Orders', Orders],
  ['events', 'Events', Events],
  ['config', 'What may trade', ConfigPanel],
  ['commands', 'Commands', Commands],
] as const;

function Details() {
  const [tab, setTab] = useFilter('tab', [...TABS.map(([name]) => name), 'profit']);
  return (
    <Tabs
      value={tab ?? 'trades'}
      onChange={(value) => setTab(value === 'trades' ? null : value)}
      keepMounted={false}
      className={classes.tabs ?? ''}
    >
      <Tabs.List>
        {TABS.map(([name, title]) => (
          <Tabs.Tab key={name} value={name}>
            {title}
          </Tabs.Tab>
        ))}
        <Tabs.Tab value="profit">Profit</Tabs.Tab>
      </Tabs.List>
      {TABS.map(([name, , Content]) => (
        <Tabs.Panel key={name} value={name} className={classes.panel ?? ''}>
          <Content />
        </Tabs.Panel>
      ))}
      <Tabs.Panel value="profit" className={classes.panel ?? ''}>
        <ProfitPanel books="live" />
      </Tabs.Panel>
    </Tabs>
  );
}

export default function Live() {
  const [open, setOpen] = useState<Open>(null);
  const { mayTrade } = useRights();
  useRefresh({ channel: 'live' }, 'live');
  useRefresh({ channel: 'orders' }, 'live');
  useRefresh({ channel: 'commands' }, 'risk');
  return (
    <div className={classes.page}>
      <Account onTell={(told) => setOpen({ told })} className={classes.wide} />
      <PositionsPanel onDeed={mayTrade ? (deed, row) => setOpen({ deed, row }) : undefined} className={classes.wide} />
      <RiskPanel onUnlock={(unlock) => setOpen({ unlock })} />
      <Made />
      <Details />
      <Sheet open={open} onClose={() => setOpen(null)} />
    </div>
  );
}
