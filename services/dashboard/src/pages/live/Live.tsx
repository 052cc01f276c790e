/** `/live`: the account: is it safe, what does it hold, what was done, what may trade; and everything that a person may tell it. */
import { Tabs } from '@mantine/core';
import { useState } from 'react';
import { useFilter } from '@/trading/filters.ts';
import { PositionsPanel } from '@/trading/PositionsPanel.tsx';
import { ProfitPanel } from '@/trading/ProfitPanel.tsx';
import { useRefresh } from '@/trading/refreshing.ts';
import { TOLD, type Told } from '@/trading/told.ts';
import { Account } from './Account.tsx';
import { Made } from './Curve.tsx';
import { ConfigPanel } from './config/ConfigPanel.tsx';
import { Commands, Events, Orders } from './Lists.tsx';
import classes from './Live.module.css';
import { type Open, OpenSheet } from './OpenSheet.tsx';
import { RiskPanel } from './RiskPanel.tsx';
import { useRights } from './rights.ts';
import { Trades } from './Trades.tsx';

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
  const [told, setTold] = useFilter('tell', TOLD);
  // What the palette leads to stands in the address until another sheet takes its place.
  const asked = told !== null && mayTrade ? { told: told as Told } : null;
  const go = (next: Open) => {
    setOpen(next);
    if (told !== null) setTold(null);
  };
  useRefresh({ channel: 'live' }, 'live');
  useRefresh({ channel: 'orders' }, 'live');
  useRefresh({ channel: 'commands' }, 'risk');
  return (
    <div className={classes.page}>
      <Account onTell={(what) => go({ told: what })} className={classes.wide} />
      <PositionsPanel
        onDeed={mayTrade ? (deed, row) => go({ deed, symbol: row.symbol, tradeId: row.trade_id }) : undefined}
        className={classes.wide}
      />
      <RiskPanel onUnlock={(unlock) => go({ unlock })} />
      <Made />
      <Details />
      <OpenSheet open={open ?? asked} onGo={go} />
    </div>
  );
}
