/** Below the chart of trades: forced orders, gaps, and what the database holds of each symbol. */
import { useQuery } from '@tanstack/react-query';
import { useMemo } from 'react';
import type { Schema } from '@/api/client.ts';
import { fixed, count as howMany } from '@/format/numbers.ts';
import { duration } from '@/format/time.ts';
import { Ago, Moment } from '@/parts/Ago.tsx';
import { type Column, DataTable } from '@/parts/DataTable.tsx';
import { Mark, type Tone } from '@/parts/Mark.tsx';
import { Panel } from '@/parts/Panel.tsx';
import { Empty } from '@/parts/States.tsx';
import { useRecent } from '@/stream/hooks.ts';
import { price } from '@/trading/columns.tsx';
import { type Forced, forcedOrders, LIQUIDATED } from './forced.ts';
import { askForced, askGaps, askMeta, type Gap } from './tape.ts';

type Meta = Schema<'TradesOfSymbol'>;

function Liquidated({ side }: { side: Forced['liquidated'] }) {
  const { colour, arrow, word } = LIQUIDATED[side];
  return (
    <span style={{ color: `var(${colour})` }}>
      <span aria-hidden="true">{arrow}</span> {word}
    </span>
  );
}

const FORCED: readonly Column<Forced>[] = [
  {
    id: 'time',
    title: 'Time',
    isInstant: true,
    cell: (row) => <Moment ms={row.time_ms} />,
    value: (row) => row.time_ms,
  },
  {
    id: 'side',
    title: 'Liquidated',
    cell: (row) => <Liquidated side={row.liquidated} />,
    value: (row) => row.liquidated,
  },
  {
    id: 'notional',
    title: 'Notional',
    unit: 'USDT',
    isNumeric: true,
    cell: (row) => fixed(row.notional, 0),
    value: (row) => row.notional,
  },
  price('price', 'Average price', (row) => row.price),
];

/** Forced orders, REST's and those that have come since. */
export function ForcedOrders({ symbol }: { symbol: string | null }) {
  const asked = useQuery(askForced(symbol));
  const live = useRecent({ channel: 'liquidations' });
  const rows = useMemo(() => forcedOrders(asked.data?.rows ?? [], live, symbol), [asked.data, live, symbol]);
  return (
    <Panel title="Liquidations" asked={asked} isLive note="a lower bound: the venue tells at most the largest a second">
      <DataTable
        label="Liquidations"
        columns={FORCED}
        rows={rows}
        keyOf={(row) => row.event_id}
        csv={`/api/liquidations/raw?symbol=${symbol ?? ''}&format=csv`}
        maxHeight={320}
        empty={<Empty title="No liquidation was told">They come with the venue’s stream of forced orders.</Empty>}
      />
    </Panel>
  );
}

const OUTCOMES: Record<string, [Tone, string]> = {
  open: ['degraded', 'being filled'],
  filled: ['good', 'filled'],
  never_existed: ['neutral', 'never existed'],
  lost: ['danger', 'lost'],
};

function Outcome({ gap }: { gap: Gap }) {
  const [tone, word] = OUTCOMES[gap.outcome] ?? ['neutral', gap.outcome];
  return (
    <Mark tone={gap.unfilled > 0 ? 'degraded' : tone}>{gap.unfilled > 0 ? `${gap.unfilled} still missing` : word}</Mark>
  );
}

const GAPS: readonly Column<Gap>[] = [
  {
    id: 'from',
    title: 'From',
    isInstant: true,
    cell: (gap) => <Moment ms={gap.from_ms} />,
    value: (gap) => gap.from_ms,
  },
  {
    id: 'length',
    title: 'Length',
    isNumeric: true,
    cell: (gap) => duration(gap.to_ms - gap.from_ms),
    value: (gap) => gap.to_ms - gap.from_ms,
  },
  {
    id: 'ids',
    title: 'Trades',
    isNumeric: true,
    cell: (gap) => fixed(gap.last_missing_id - gap.first_missing_id + 1, 0),
    value: (gap) => gap.last_missing_id - gap.first_missing_id + 1,
  },
  { id: 'outcome', title: 'Outcome', cell: (gap) => <Outcome gap={gap} />, value: (gap) => gap.outcome },
  { id: 'cause', title: 'Cause', cell: (gap) => gap.cause.replaceAll('_', ' '), value: (gap) => gap.cause },
  {
    id: 'closed',
    title: 'Closed after',
    isNumeric: true,
    cell: (gap) => (gap.closed_ms === null || gap.found_ms === null ? '–' : duration(gap.closed_ms - gap.found_ms)),
    value: (gap) => (gap.closed_ms === null || gap.found_ms === null ? null : gap.closed_ms - gap.found_ms),
  },
];

export function Gaps({ symbol }: { symbol: string | null }) {
  const asked = useQuery(askGaps(symbol));
  return (
    <Panel title="Gaps" asked={asked} note="aggregate ids that the stream did not bring">
      <DataTable
        label="Gaps"
        columns={GAPS}
        rows={asked.data?.gaps ?? []}
        keyOf={(gap) => `${gap.symbol} ${gap.first_missing_id}`}
        csv={`/api/gaps?symbol=${symbol ?? ''}&format=csv`}
        maxHeight={320}
        empty={
          <Empty title="No gap">Every trade’s id followed on the one before, as far as the database goes back.</Empty>
        }
      />
    </Panel>
  );
}

function count(id: keyof Meta, title: string): Column<Meta> {
  const value = (row: Meta) => Number(row[id]);
  const cell = (row: Meta) => (value(row) === 0 ? '0' : <Mark tone="degraded">{fixed(value(row), 0)}</Mark>);
  return { id, title, isNumeric: true, cell, value };
}

const META: readonly Column<Meta>[] = [
  { id: 'symbol', title: 'Symbol', cell: (row) => row.symbol, value: (row) => row.symbol },
  {
    id: 'rows',
    title: 'Aggregate trades',
    isNumeric: true,
    cell: (row) => <span title={fixed(row.row_count, 0)}>{howMany(row.row_count)}</span>,
    value: (row) => row.row_count,
  },
  {
    id: 'first',
    title: 'First',
    isInstant: true,
    cell: (row) => <Moment ms={row.first_time_ms} />,
    value: (row) => row.first_time_ms,
  },
  {
    id: 'last',
    title: 'Last',
    isNumeric: true,
    cell: (row) => <Ago ms={row.last_time_ms} />,
    value: (row) => row.last_time_ms,
  },
  count('missing_count', 'Missing'),
  count('conflict_count', 'In conflict'),
  count('late_count', 'Late'),
];

/** What the database holds of each symbol. */
export function Held() {
  const asked = useQuery(askMeta);
  return (
    <Panel title="Stored" asked={asked} note="all symbols">
      <DataTable
        label="Stored trades by symbol"
        columns={META}
        rows={asked.data?.symbols ?? []}
        keyOf={(row) => row.symbol}
        maxHeight={320}
        empty={<Empty title="No trade is stored yet">The recorder writes them as they come.</Empty>}
      />
    </Panel>
  );
}
