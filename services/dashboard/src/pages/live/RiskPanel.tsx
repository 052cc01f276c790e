/** The guard's state, its rules with how near each is to its limit, and the locks. */
import { Button } from '@mantine/core';
import { useState } from 'react';
import { useNow } from '@/format/now.ts';
import { duration } from '@/format/time.ts';
import { Change } from '@/parts/Figures.tsx';
import { Mark, type Tone } from '@/parts/Mark.tsx';
import { Panel } from '@/parts/Panel.tsx';
import { Empty } from '@/parts/States.tsx';
import layout from '@/trading/Layout.module.css';
import { Measures } from '@/trading/Measures.tsx';
import { spoken } from '@/trading/names.ts';
import classes from '@/trading/Risk.module.css';
import { byRule, type Measure, useRisk } from '@/trading/risk.ts';
import { useRights } from './rights.ts';

const TONES: Record<string, Tone> = { normal: 'good', warning: 'degraded', circuit_break: 'danger' };

interface LocksProps {
  locks: Readonly<Record<string, number>>;
  onUnlock: (symbol: string) => void;
}

function Locks({ locks, onUnlock }: LocksProps) {
  const now = useNow();
  const { mayTrade } = useRights();
  const standing = Object.entries(locks).filter(([, until]) => until > now);
  if (standing.length === 0) return null;
  return (
    <div className={classes.locks}>
      {standing.map(([symbol, until]) => (
        <span key={symbol}>
          <Mark tone="degraded">{symbol} locked</Mark> for {duration(until - now)}{' '}
          <Button size="compact-xs" variant="subtle" disabled={!mayTrade} onClick={() => onUnlock(symbol)}>
            Unlock…
          </Button>
        </span>
      ))}
    </div>
  );
}

const GRAVEST = 6;

/** The rules that are nearest to a limit; all of them for who asks. */
function Rules({ measures }: { measures: readonly Measure[] }) {
  const [isWhole, setWhole] = useState(false);
  const all = byRule(measures).length;
  return (
    <>
      {isWhole ? <Measures measures={measures} /> : <Measures measures={measures} most={GRAVEST} />}
      {all > GRAVEST && (
        <div className={layout.more}>
          <Button size="compact-xs" variant="subtle" onClick={() => setWhole(!isWhole)}>
            {isWhole ? `The ${GRAVEST} nearest to a limit` : `All ${all} rules`}
          </Button>
        </div>
      )}
    </>
  );
}

export function RiskPanel({ onUnlock }: { onUnlock: (symbol: string) => void }) {
  const { asked, risk } = useRisk();
  return (
    <Panel
      title="Risk guard"
      note={
        risk !== null && (
          <>
            the day by its own count <Change value={risk.daily_pnl_r} decimals={2} unit="R" />
          </>
        )
      }
      asked={asked}
      isLive
      lines={8}
      actions={
        risk !== null && (
          <>
            {risk.paused === true && <Mark tone="degraded">paused</Mark>}
            <Mark tone={risk.guard.silent ? 'danger' : (TONES[risk.level ?? ''] ?? 'neutral')}>
              {risk.guard.silent ? 'silent' : spoken(risk.level)}
            </Mark>
          </>
        )
      }
    >
      {risk === null || risk.measures.length === 0 ? (
        <Empty title="The guard has said nothing of its rules yet">
          It tells what each sees once a second while it guards an account; on paper it guards none.
        </Empty>
      ) : (
        <Rules measures={risk.measures} />
      )}
      {risk !== null && <Locks locks={risk.locks} onUnlock={onUnlock} />}
    </Panel>
  );
}
