/** Mark price, funding and basis of each symbol; a card chooses what the chart shows. */
import { useQuery } from '@tanstack/react-query';
import { askRates } from '@/api/queries.ts';
import { useNow } from '@/format/now.ts';
import { percent, toNumber } from '@/format/numbers.ts';
import { duration } from '@/format/time.ts';
import { Ago } from '@/parts/Ago.tsx';
import { Failed, Waiting } from '@/parts/States.tsx';
import { useOne } from '@/stream/hooks.ts';
import { newerOf } from '@/stream/merging.ts';
import { Price } from '@/trading/Price.tsx';
import { useOldSince } from '@/trading/priceAge.ts';
import classes from './Home.module.css';

interface Rate {
  mark: string;
  index: string;
  funding: string | null | undefined;
  nextFundingMs: number;
  eventMs: number;
}

/** Of the stream and REST, the newer word. */
function useRate(symbol: string): Rate | null {
  const { data } = useQuery(askRates);
  const live = useOne({ channel: 'prices' }, symbol);
  const asked = data?.rates.find((rate) => rate.symbol === symbol);
  const newest = newerOf(live, asked);
  if (newest === undefined) return null;
  const { mark_price, index_price, funding_rate, next_funding_time_ms, event_time_ms } = newest;
  return {
    mark: mark_price,
    index: index_price,
    funding: funding_rate,
    nextFundingMs: next_funding_time_ms,
    eventMs: event_time_ms,
  };
}

function Card({ symbol, isChosen, onChoose }: { symbol: string; isChosen: boolean; onChoose: () => void }) {
  const rate = useRate(symbol);
  const now = useNow();
  const since = useOldSince(rate?.eventMs);
  const look = since === null ? '' : classes.stale;
  const index = toNumber(rate?.index);
  const mark = toNumber(rate?.mark);
  const basis = index === null || mark === null || index === 0 ? null : (mark - index) / index;
  return (
    <button type="button" className={classes.card} aria-pressed={isChosen} onClick={onChoose}>
      <span className={classes.name}>{symbol}</span>
      {since === null ? (
        <span className={`${classes.dim} ${classes.right}`} title="To the next settlement of funding">
          {rate === null ? '–' : duration(Math.max(0, rate.nextFundingMs - now))}
        </span>
      ) : (
        <span className={`${classes.since} ${classes.right}`}>
          ▲ <Ago ms={since} />
        </span>
      )}
      <span className={`${classes.price} ${look}`} title="Mark price, USDT">
        <Price symbol={symbol} value={rate?.mark} isFlashing />
      </span>
      <span className={`${classes.right} ${look}`} title="Funding of the running interval">
        <span className={`${classes.dim} ${classes.roomy}`}>funding </span>
        {percent(rate?.funding, 4, true)}
      </span>
      <span className={`${classes.dim} ${classes.roomy}`}>mark, USDT</span>
      <span className={`${classes.dim} ${classes.right} ${classes.roomy} ${look}`} title="Mark against index">
        basis {percent(basis, 3, true)}
      </span>
    </button>
  );
}

interface RateCardsProps {
  chosen: string | null;
  onChoose: (symbol: string) => void;
}

export function RateCards({ chosen, onChoose }: RateCardsProps) {
  const rates = useQuery(askRates);
  if (rates.isPending) return <Waiting lines={2} height={28} />;
  if (rates.data === undefined) return <Failed error={rates.error} retry={() => void rates.refetch()} />;
  const symbols = [...rates.data.rates.map((rate) => rate.symbol), ...(rates.data.missing ?? [])];
  return (
    <div className={classes.rates}>
      {symbols.map((symbol) => (
        <Card key={symbol} symbol={symbol} isChosen={symbol === chosen} onChoose={() => onChoose(symbol)} />
      ))}
    </div>
  );
}
