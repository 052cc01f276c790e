/** `/live/trades/:id`: everything that is kept of one trade: how fast it was, its levels, orders, fills and events. */
import { useQuery } from '@tanstack/react-query';
import { Link, useParams } from 'react-router';
import type { Schema } from '@/api/client.ts';
import { Problem } from '@/api/problem.ts';
import { fixed, plain } from '@/format/numbers.ts';
import { Ago } from '@/parts/Ago.tsx';
import { type Column, DataTable } from '@/parts/DataTable.tsx';
import { Change, Side } from '@/parts/Figures.tsx';
import { Mark } from '@/parts/Mark.tsx';
import { Panel } from '@/parts/Panel.tsx';
import { Empty, Failed, Waiting } from '@/parts/States.tsx';
import { change } from '@/trading/columns.tsx';
import layout from '@/trading/Layout.module.css';
import { spoken } from '@/trading/names.ts';
import { Price } from '@/trading/Price.tsx';
import { useRefresh } from '@/trading/refreshing.ts';
import { Stats } from '@/trading/Stats.tsx';
import { askTrade, type LiveTradeRow } from './asking.ts';
import { EVENT_COLUMNS } from './Lists.tsx';
import { ORDER_COLUMNS } from './orderColumns.tsx';
import { stepsOf } from './steps.ts';

type Fill = Schema<'LiveFillAnswer'>;

const FILL_COLUMNS: readonly Column<Fill>[] = [
  { id: 'time', title: 'When', cell: (row) => <Ago ms={row.fill_time_ms} />, value: (row) => row.fill_time_ms },
  { id: 'leg', title: 'Leg', cell: (row) => spoken(row.leg), value: (row) => spoken(row.leg) },
  { id: 'by', title: 'By', cell: (row) => spoken(row.filled_by), value: (row) => row.filled_by },
  { id: 'side', title: 'Side', cell: (row) => row.side, value: (row) => row.side },
  {
    id: 'quantity',
    title: 'Quantity',
    isNumeric: true,
    cell: (row) => plain(row.quantity),
    value: (row) => row.quantity,
  },
  { id: 'price', title: 'Price', isNumeric: true, cell: (row) => plain(row.price), value: (row) => row.price },
  change('realised', 'Realised', 'USDT', (row) => row.realised),
  {
    id: 'fee',
    title: 'Fee',
    isNumeric: true,
    cell: (row) => `${plain(row.fee)} ${row.fee_asset}`,
    value: (row) => row.fee,
  },
  { id: 'maker', title: 'Maker', cell: (row) => (row.is_maker ? 'maker' : 'taker'), isForWideScreens: true },
];

function Facts({ trade }: { trade: LiveTradeRow }) {
  return (
    <Stats
      stats={[
        { name: 'State', value: spoken(trade.state), note: spoken(trade.exit_reason ?? trade.reason) },
        { name: 'Net', value: <Change value={trade.pnl_quote} decimals={2} unit="USDT" /> },
        {
          name: 'Result',
          value: <Change value={trade.pnl_r} decimals={2} unit="R" />,
          note: `1 R ${fixed(trade.initial_risk, 2)} USDT`,
        },
        {
          name: 'Entry',
          value: <Price symbol={trade.symbol} value={trade.entry_price} />,
          note: <Ago ms={trade.entry_time_ms} />,
        },
        {
          name: 'Exit',
          value: <Price symbol={trade.symbol} value={trade.exit_price} />,
          note: <Ago ms={trade.exit_time_ms} />,
        },
        { name: 'Stop', value: <Price symbol={trade.symbol} value={trade.stop} /> },
        {
          name: 'Targets',
          value: <Price symbol={trade.symbol} value={trade.take_profit_1} />,
          note: <Price symbol={trade.symbol} value={trade.take_profit_2} />,
        },
        { name: 'Left', value: `${plain(trade.quantity_left)} of ${plain(trade.quantity)}` },
        { name: 'Costs', value: fixed(trade.fees, 2), note: `funding ${fixed(trade.funding, 2)}` },
        { name: 'Slippage', value: fixed(trade.slippage_bps, 2), note: 'bps, above 0: worse' },
      ]}
    />
  );
}

/** From the signal to the targets, each with the time since the one before. */
function Steps({ trade }: { trade: LiveTradeRow }) {
  const steps = stepsOf(trade);
  return (
    <Panel title="From signal to protection" note="after the step before">
      {steps.length === 0 ? (
        <Empty title="Nothing was sent">It was not entered.</Empty>
      ) : (
        <Stats
          stats={steps.map(({ name, timeMs, afterMs }) => ({
            name,
            value: afterMs === null ? '–' : `${fixed(afterMs, 0)} ms`,
            note: <Ago ms={timeMs} />,
          }))}
        />
      )}
    </Panel>
  );
}

function Head({ trade }: { trade: LiveTradeRow }) {
  return (
    <div className={layout.bar}>
      <Side side={trade.direction} />
      <strong>{trade.symbol}</strong>
      <span>{trade.strategy}</span>
      <Mark tone={trade.state === 'open' ? 'accent' : 'neutral'}>{spoken(trade.state)}</Mark>
      <span className={layout.dim}>
        account {trade.account}, by {trade.origin}
      </span>
      {trade.signal_id !== null && <Link to={`/signals/${trade.signal_id}`}>Its signal explained</Link>}
    </div>
  );
}

export default function LiveTradePage() {
  const { tradeId = '' } = useParams();
  const asked = useQuery(askTrade(tradeId));
  useRefresh({ channel: 'live' }, 'live');
  if (asked.error instanceof Problem && asked.error.status === 404) {
    return (
      <Empty title="There is no such trade">
        {asked.error.message}; <Link to="/live">the account</Link>.
      </Empty>
    );
  }
  if (asked.isPending) return <Waiting lines={10} height={22} />;
  if (asked.data === undefined) return <Failed error={asked.error} retry={() => void asked.refetch()} />;
  const { trade, orders, fills, events } = asked.data;
  return (
    <div className={layout.stack}>
      <Head trade={trade} />
      <Panel title="The trade" asked={asked}>
        <Facts trade={trade} />
      </Panel>
      <Steps trade={trade} />
      <Panel title="Orders">
        <DataTable
          label="Orders"
          columns={ORDER_COLUMNS}
          rows={orders}
          keyOf={(row) => row.client_order_id}
          empty={<Empty title="No order was meant" />}
        />
      </Panel>
      <Panel title="Fills">
        <DataTable
          label="Fills"
          columns={FILL_COLUMNS}
          rows={fills}
          keyOf={(row) => `${row.venue_trade_id}`}
          empty={<Empty title="Nothing was filled" />}
        />
      </Panel>
      <Panel title="Events">
        <DataTable
          label="Events"
          columns={EVENT_COLUMNS}
          rows={events}
          keyOf={(row) => row.event_id}
          empty={<Empty title="Nothing was noted" />}
        />
      </Panel>
    </div>
  );
}
