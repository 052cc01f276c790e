/** `/`: the market and what is made of it: rates, a live chart with signals and trades, the signal log, the feeds. */
import { ChartPanel } from '@/charts/ChartPanel.tsx';
import { Panel } from '@/parts/Panel.tsx';
import { Waiting } from '@/parts/States.tsx';
import { useSymbol } from '@/parts/SymbolChoice.tsx';
import { prefer } from '@/preferences/preferences.ts';
import { FeedHealth } from './FeedHealth.tsx';
import classes from './Home.module.css';
import { RateCards } from './RateCards.tsx';
import { SignalLog } from './SignalLog.tsx';

export default function Home() {
  const symbol = useSymbol();
  return (
    <div className={classes.page}>
      <RateCards chosen={symbol} onChoose={(chosen) => prefer({ symbol: chosen })} />
      {symbol === null ? (
        <Panel title="Market" className={classes.chart}>
          <Waiting lines={10} height={28} />
        </Panel>
      ) : (
        <ChartPanel key={symbol} symbol={symbol} className={classes.chart ?? ''} />
      )}
      <SignalLog />
      <FeedHealth />
    </div>
  );
}
