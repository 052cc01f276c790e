/** The account in one look: whose money, may it enter, why not, what it is worth, and what can be told it. */
import { Button, Tooltip } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { askLiveSummary } from '@/api/queries.ts';
import { fixed } from '@/format/numbers.ts';
import { duration } from '@/format/time.ts';
import { Ago } from '@/parts/Ago.tsx';
import { Change } from '@/parts/Figures.tsx';
import { Mark } from '@/parts/Mark.tsx';
import { Panel } from '@/parts/Panel.tsx';
import layout from '@/trading/Layout.module.css';
import { useUnrealised } from '@/trading/livePositions.ts';
import { spoken } from '@/trading/names.ts';
import { useRisk } from '@/trading/risk.ts';
import { Stats } from '@/trading/Stats.tsx';
import type { Told } from '@/trading/told.ts';
import { askBalance } from './asking.ts';
import { useRights } from './rights.ts';

function Heart({ name, silent, ageMs }: { name: string; silent: boolean; ageMs: number | null }) {
  const words = ageMs === null ? 'never heard' : `last heard ${duration(ageMs)} ago`;
  return (
    <Mark tone={silent ? 'danger' : 'good'} title={words}>
      {name} {silent ? 'silent' : 'alive'}
    </Mark>
  );
}

function Tell({ what, isDisabled, why, onTell, children, color }: TellProps) {
  const button = (
    <Button
      size="compact-xs"
      variant={color === undefined ? 'default' : 'filled'}
      color={color}
      disabled={isDisabled}
      onClick={() => onTell(what)}
    >
      {children}
    </Button>
  );
  return isDisabled && why !== null ? (
    <Tooltip label={why}>
      <span>{button}</span>
    </Tooltip>
  ) : (
    button
  );
}

interface TellProps {
  what: Told;
  isDisabled: boolean;
  why: string | null;
  onTell: (what: Told) => void;
  children: ReactNode;
  color?: string;
}

function Buttons({ onTell }: { onTell: (what: Told) => void }) {
  const { mayTrade, why } = useRights();
  const { risk } = useRisk();
  const shared = { isDisabled: !mayTrade, why, onTell };
  return (
    <>
      {risk?.paused === true ? (
        <Tell what="resume" {...shared}>
          Resume…
        </Tell>
      ) : (
        <Tell what="pause" {...shared}>
          Pause…
        </Tell>
      )}
      {risk?.level === 'circuit_break' && (
        <Tell what="reset" {...shared}>
          Reset the break…
        </Tell>
      )}
      <Tell what="enter" {...shared}>
        Enter…
      </Tell>
      <Tell what="lock" {...shared}>
        Lock…
      </Tell>
      <Tell what="sync" {...shared}>
        Reconcile…
      </Tell>
      <Tell what="flatten" color="red.9" {...shared}>
        Flatten all…
      </Tell>
    </>
  );
}

function Reasons({ reasons }: { reasons: readonly string[] }) {
  if (reasons.length === 0) return null;
  return (
    <ul className={layout.reasons} aria-label="What keeps it from entering anything">
      {reasons.map((reason) => (
        <li key={reason}>{reason}</li>
      ))}
    </ul>
  );
}

export function Account({ onTell, className }: { onTell: (what: Told) => void; className?: string | undefined }) {
  const asked = useQuery(askLiveSummary);
  const balance = useQuery(askBalance);
  const unrealised = useUnrealised();
  const summary = asked.data;
  return (
    <Panel
      title={`Account ${summary?.account ?? ''}`}
      note={summary === undefined ? undefined : `${summary.mode ?? 'mode not known'}`}
      asked={asked}
      isLive
      lines={4}
      actions={<Buttons onTell={onTell} />}
      className={className}
    >
      {summary !== undefined && (
        <>
          <Stats
            stats={[
              {
                name: 'Entries',
                value: (
                  <Mark tone={summary.entries_allowed ? 'good' : 'degraded'}>
                    {summary.entries_allowed ? 'allowed' : 'not allowed'}
                  </Mark>
                ),
                note: spoken(summary.level),
              },
              {
                name: 'Processes',
                value: (
                  <>
                    <Heart name="executor" silent={summary.executor.silent} ageMs={summary.executor.age_ms} />{' '}
                    <Heart name="guard" silent={summary.guard.silent} ageMs={summary.guard.age_ms} />
                  </>
                ),
              },
              {
                name: 'Closed today',
                value: <Change value={summary.net_today} decimals={2} unit="USDT" />,
                note: <Change value={summary.net_r_today} decimals={2} unit="R" />,
              },
              {
                name: 'Unrealised',
                value: <Change value={unrealised ?? summary.unrealised_quote} decimals={2} unit="USDT" />,
                note: `${summary.open_trades} open`,
              },
              {
                name: 'Equity',
                value: `${fixed(balance.data?.equity, 2)} USDT`,
                note: `wallet ${fixed(balance.data?.balance, 2)}`,
              },
              { name: 'Trades today', value: summary.closed_today, note: `${summary.won_today} won, closed, UTC day` },
              {
                name: 'Books',
                value:
                  summary.reconciliation_clean === null ? (
                    '–'
                  ) : (
                    <Mark tone={summary.reconciliation_clean ? 'good' : 'danger'}>
                      {summary.reconciliation_clean ? 'agree with the venue' : 'differ from the venue'}
                    </Mark>
                  ),
                note: <Ago ms={summary.reconciled_at_ms} />,
              },
            ]}
          />
          <Reasons reasons={summary.reasons} />
        </>
      )}
    </Panel>
  );
}
