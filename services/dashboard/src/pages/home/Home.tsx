/** `/`: the market and what is made of it: rates, a live chart with signals and trades, the signal log, the feeds. */
import { useQuery } from '@tanstack/react-query';
import { askRates } from '@/api/queries.ts';
import { ChartPanel } from '@/charts/ChartPanel.tsx';
import { prefer, usePreferences } from '@/preferences/preferences.ts';
import { FeedHealth } from './FeedHealth.tsx';
import classes from './Home.module.css';
import { RateCards } from './RateCards.tsx';
import { SignalLog } from './SignalLog.tsx';

/** What the person has chosen last, if it is followed; else the first. */
function useSymbol(): string | null {
  const { symbol } = usePreferences();
  const { data } = useQuery(askRates);
  const followed = data?.rates.map((rate) => rate.symbol) ?? [];
  return symbol !== null && (followed.includes(symbol) || data === undefined) ? symbol : (followed[0] ?? null);
}

export default function Home() {
  const symbol = useSymbol();
  return (
    <div className={classes.page}>
      <RateCards chosen={symbol} onChoose={(chosen) => prefer({ symbol: chosen })} />
      {symbol !== null && <ChartPanel key={symbol} symbol={symbol} className={classes.chart} />}
      <SignalLog />
      <FeedHealth />
    </div>
  );
}
