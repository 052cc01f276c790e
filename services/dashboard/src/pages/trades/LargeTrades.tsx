/** How large a large trade is now, and which side the large ones of the last five minutes were on. */
import { useQuery } from '@tanstack/react-query';
import { fixed, percent, type Quantity, short, toNumber } from '@/format/numbers.ts';
import { Ago } from '@/parts/Ago.tsx';
import { Change } from '@/parts/Figures.tsx';
import { Panel } from '@/parts/Panel.tsx';
import { Empty } from '@/parts/States.tsx';
import { useOne } from '@/stream/hooks.ts';
import classes from './Trades.module.css';
import { askFeatures } from './tape.ts';

interface FlowProps {
  name: string;
  threshold: Quantity;
  bought: Quantity;
  sold: Quantity;
}

/** Bought against sold as one bar in two parts, which stand left and right. */
function Flow({ name, threshold, bought, sold }: FlowProps) {
  const buy = toNumber(bought);
  const sell = toNumber(sold);
  const all = (buy ?? 0) + (sell ?? 0);
  const share = all === 0 ? null : (buy ?? 0) / all;
  return (
    <div className={classes.flow}>
      <div className={classes.flowHead}>
        <b>{name}</b>
        <span className={classes.dim}>from {fixed(threshold, 0)} USDT on</span>
        <span className={classes.net}>
          <Change value={buy === null || sell === null ? null : buy - sell} decimals={0} unit="USDT" />
        </span>
      </div>
      <meter
        className={classes.meter}
        min={0}
        max={1}
        value={share ?? 0.5}
        aria-label={`${name}: share that takers bought`}
      >
        {percent(share, 0)}
      </meter>
      <div className={classes.flowHead}>
        <span className={classes.up}>▲ bought {short(bought)}</span>
        <span className={classes.dim}>{share === null ? 'none in five minutes' : percent(share, 0)}</span>
        <span className={`${classes.down} ${classes.net}`}>sold {short(sold)} ▼</span>
      </div>
    </div>
  );
}

export function LargeTrades({ symbol }: { symbol: string | null }) {
  const live = useOne({ channel: 'indicators' }, symbol);
  const asked = useQuery(askFeatures(symbol));
  const stored = asked.data?.rows[0];
  const at = live?.event_time_ms ?? stored?.event_time_ms;
  return (
    <Panel
      title="Large trades"
      asked={asked}
      isLive
      isPadded
      lines={6}
      note={at === undefined ? undefined : <Ago ms={at} />}
    >
      {live === undefined ? (
        <Empty title="Not computed yet">
          The signal engine says it every fifteen seconds, once it has seen enough trades to know what is large
          {stored?.large_p95 ? ` (last: ${fixed(stored.large_p95, 0)} USDT)` : ''}.
        </Empty>
      ) : (
        <>
          <Flow
            name="95th percentile"
            threshold={live.large_p95}
            bought={live.large_buy_p95}
            sold={live.large_sell_p95}
          />
          <Flow
            name="99th percentile"
            threshold={live.large_p99}
            bought={live.large_buy_p99}
            sold={live.large_sell_p99}
          />
          <p className={classes.note}>
            Five minutes, by notional; sizes of {percent(live.size_coverage, 0)} of the window’s trades are known.
          </p>
        </>
      )}
    </Panel>
  );
}
