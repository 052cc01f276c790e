/** All symbols with their prices, and the score of each strategy as a heat map: full where a threshold is reached. */
import { useQuery } from '@tanstack/react-query';
import { useMemo } from 'react';
import { Link } from 'react-router';
import { askRates } from '@/api/queries.ts';
import { fixed, percent, short } from '@/format/numbers.ts';
import { exact } from '@/format/time.ts';
import { Ago } from '@/parts/Ago.tsx';
import { type Column, DataTable } from '@/parts/DataTable.tsx';
import { Change } from '@/parts/Figures.tsx';
import { Mark } from '@/parts/Mark.tsx';
import { Panel } from '@/parts/Panel.tsx';
import { Empty, Waiting } from '@/parts/States.tsx';
import { useIsTold, useLatest, useOne } from '@/stream/hooks.ts';
import { Price } from '@/trading/Price.tsx';
import { useOldSince } from '@/trading/priceAge.ts';
import classes from './Desk.module.css';
import {
  heat,
  leastCoverage,
  loudest,
  nearness,
  type Score,
  type ScoreRow,
  scoreRows,
  strategiesOf,
} from './scores.ts';

const WHOLE = 0.9995;
const INDICATORS = { channel: 'indicators' } as const;

/** The mark price; dimmed with its age where this symbol is silent while others go on. */
function MarkPrice({ row }: { row: ScoreRow }) {
  const mark = useOne({ channel: 'prices' }, row.symbol);
  const since = useOldSince(mark?.event_time_ms);
  const isOld = since !== null;
  const value = mark?.mark_price ?? row.features.price;
  return (
    <span className={isOld ? classes.old : undefined} title={isOld ? `▲ as of ${exact(since)}` : undefined}>
      <Price symbol={row.symbol} value={value} isFlashing />
    </span>
  );
}

function Funding({ symbol }: { symbol: string }) {
  return <span>{percent(useOne({ channel: 'prices' }, symbol)?.funding_rate, 4, true)}</span>;
}

function Cell({ symbol, score }: { symbol: string; score: Score | undefined }) {
  if (score === undefined) return <span>–</span>;
  const { direction, strategy, threshold } = score;
  const words = `${direction === 'none' ? 'no direction' : direction}, ${fixed(score.score, 1)} of ${fixed(threshold, 0)} needed: ${loudest(score)}`;
  return (
    <Link
      to={`/signals?symbol=${symbol}&strategy=${strategy}`}
      className={classes.cell}
      data-side={direction}
      data-heat={heat(score)}
      title={words}
      aria-label={`${symbol} ${strategy} ${fixed(score.score, 0)}: ${words}`}
    >
      <span className={classes.arrow} data-side={direction} aria-hidden="true">
        {direction === 'long' ? '▲' : direction === 'short' ? '▼' : ''}
      </span>
      {fixed(score.score, 0)}
    </Link>
  );
}

function Coverage({ share }: { share: number | null }) {
  if (share === null) return <span>–</span>;
  return share >= WHOLE ? <span>{percent(share, 0)}</span> : <Mark tone="degraded">{percent(share, 0)}</Mark>;
}

const FIRST: readonly Column<ScoreRow>[] = [
  {
    id: 'symbol',
    title: 'Symbol',
    cell: (row) => <Link to={`/kline?symbol=${row.symbol}`}>{row.symbol}</Link>,
    value: (row) => row.symbol,
  },
  {
    id: 'mark',
    title: 'Mark',
    unit: 'USDT',
    isNumeric: true,
    cell: (row) => <MarkPrice row={row} />,
    value: (row) => row.features.price,
  },
];

const LAST: readonly Column<ScoreRow>[] = [
  {
    id: 'cvd',
    title: 'CVD 5 min',
    isNumeric: true,
    cell: (row) => <Change value={row.features.cvd_5m} decimals={2} />,
    value: (row) => row.features.cvd_5m,
  },
  {
    id: 'cvd4h',
    title: 'CVD 4 h',
    isNumeric: true,
    isForWideScreens: true,
    cell: (row) => <span>{short(row.features.cvd_4h, true)}</span>,
    value: (row) => row.features.cvd_4h,
  },
  {
    id: 'atr',
    title: 'ATR rank',
    isNumeric: true,
    isForWideScreens: true,
    cell: (row) => percent(row.features.atr_percentile, 0),
    value: (row) => row.features.atr_percentile,
  },
  {
    id: 'funding',
    title: 'Funding',
    isNumeric: true,
    isForWideScreens: true,
    cell: (row) => <Funding symbol={row.symbol} />,
  },
  {
    id: 'coverage',
    title: 'Coverage',
    isNumeric: true,
    cell: (row) => <Coverage share={leastCoverage(row.features)} />,
    value: (row) => leastCoverage(row.features),
  },
  {
    id: 'at',
    title: 'Scored',
    isNumeric: true,
    cell: (row) => <Ago ms={row.features.event_time_ms} />,
    value: (row) => row.features.event_time_ms,
  },
];

function scoreColumn(strategy: string): Column<ScoreRow> {
  return {
    id: `score ${strategy}`,
    title: strategy,
    isNumeric: true,
    cell: (row) => <Cell symbol={row.symbol} score={row.scores.get(strategy)} />,
    value: (row) => {
      const score = row.scores.get(strategy);
      return score === undefined ? null : nearness(score);
    },
  };
}

export function Scores() {
  const rates = useQuery(askRates);
  const latest = useLatest(INDICATORS);
  const isTold = useIsTold(INDICATORS);
  const rows = useMemo(() => scoreRows(latest.values()), [latest]);
  const columns = useMemo(() => [...FIRST, ...strategiesOf(rows).map(scoreColumn), ...LAST], [rows]);
  const followed = rates.data?.rates.length ?? 0;
  return (
    <Panel
      title="Scores"
      note="of 100, framed where the threshold is reached; sorted by a click"
      isLive
      actions={isTold && rows.length < followed && <Mark tone="degraded">{followed - rows.length} not scored yet</Mark>}
    >
      {isTold ? (
        <DataTable
          label="Scores"
          columns={columns}
          rows={rows}
          keyOf={(row) => row.symbol}
          isFilterable={rows.length > 12}
          empty={
            <Empty title="Nothing is scored yet">
              Each symbol is scored every 15 seconds, as soon as the signal engine has heard its trades.
            </Empty>
          }
        />
      ) : (
        <Waiting lines={8} />
      )}
    </Panel>
  );
}
