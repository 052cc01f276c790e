/** What became of the signal: on paper with its fills, and on accounts. */
import { Link } from 'react-router';
import type { Schema } from '@/api/client.ts';
import { fixed, plain, toNumber } from '@/format/numbers.ts';
import { Ago } from '@/parts/Ago.tsx';
import { type Column, DataTable } from '@/parts/DataTable.tsx';
import { Change } from '@/parts/Figures.tsx';
import { Mark } from '@/parts/Mark.tsx';
import { Panel } from '@/parts/Panel.tsx';
import { Empty } from '@/parts/States.tsx';
import { spoken } from '@/trading/names.ts';
import { Price } from '@/trading/Price.tsx';
import { Stats } from '@/trading/Stats.tsx';
import type { Story } from '../asking.ts';

type PaperTrade = Schema<'PaperTradeAnswer'>;
type LiveTrade = Schema<'LiveTradeAnswer'>;

interface Fill {
  id: string;
  reason: string;
  timeMs: number | null;
  price: string | null;
  quantity: string | null;
  pnl: string | null;
}

function textOf(value: unknown): string | null {
  return value === null || value === undefined ? null : String(value);
}

function fillsOf(trade: PaperTrade): Fill[] {
  return trade.fills.map((fill, index) => ({
    id: `${index}`,
    reason: textOf(fill.reason) ?? 'fill',
    timeMs: toNumber(textOf(fill.time_ms ?? fill.fill_time_ms)),
    price: textOf(fill.price),
    quantity: textOf(fill.quantity),
    pnl: textOf(fill.net ?? fill.pnl_quote ?? fill.gross),
  }));
}

const FILLS: readonly Column<Fill>[] = [
  { id: 'reason', title: 'Fill', cell: (fill) => spoken(fill.reason) },
  { id: 'time', title: 'When', cell: (fill) => <Ago ms={fill.timeMs} /> },
  {
    id: 'quantity',
    title: 'Quantity',
    isNumeric: true,
    cell: (fill) => plain(fill.quantity),
  },
  { id: 'price', title: 'Price', isNumeric: true, cell: (fill) => plain(fill.price) },
];

function PaperStory({ trade }: { trade: PaperTrade }) {
  const isOver = trade.state === 'closed';
  return (
    <>
      <Stats
        stats={[
          {
            name: 'On paper',
            value: spoken(trade.state),
            note: trade.reason === null ? undefined : spoken(trade.reason),
          },
          { name: 'Net', value: <Change value={trade.net} decimals={2} unit="USDT" /> },
          { name: 'Result', value: <Change value={trade.net_r} decimals={2} unit="R" /> },
          {
            name: 'Entry',
            value: <Price symbol={trade.symbol} value={trade.entry_price} />,
            note: <Ago ms={trade.entry_time_ms} />,
          },
          {
            name: isOver ? 'Exit' : 'Stop now',
            value: <Price symbol={trade.symbol} value={isOver ? trade.exit_price : trade.stop_now} />,
          },
          {
            name: 'Best, worst',
            value: <Change value={trade.favourable_r} decimals={2} unit="R" />,
            note: <Change value={trade.adverse_r} decimals={2} unit="R" />,
          },
          {
            name: 'Costs',
            value: fixed(sumOf(trade.fees, trade.slippage, trade.funding), 2),
            note: 'fees, slippage, funding',
          },
        ]}
      />
      {trade.fills.length > 0 && (
        <DataTable label="Fills" columns={FILLS} rows={fillsOf(trade)} keyOf={(fill) => fill.id} empty={null} />
      )}
    </>
  );
}

function sumOf(...parts: (string | null)[]): number | null {
  const known = parts.map(toNumber);
  return known.some((each) => each === null) ? null : known.reduce<number>((all, one) => all + (one ?? 0), 0);
}

function LiveStory({ trade }: { trade: LiveTrade }) {
  return (
    <Stats
      stats={[
        {
          name: `Account ${trade.account}`,
          value: <Link to={`/live/trades/${trade.trade_id}`}>{spoken(trade.state)}</Link>,
          note: spoken(trade.exit_reason ?? trade.reason),
        },
        { name: 'Net', value: <Change value={trade.pnl_quote} decimals={2} unit="USDT" /> },
        { name: 'Result', value: <Change value={trade.pnl_r} decimals={2} unit="R" /> },
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
        { name: 'Slippage', value: fixed(trade.slippage_bps, 2), note: 'bps against the signal' },
      ]}
    />
  );
}

export function Became({ story }: { story: Story }) {
  const isNothing = story.paper_trades.length + story.live_trades.length === 0;
  const because = story.gate.passed
    ? 'Orders follow within a second where a trader or an account takes it.'
    : 'It was refused, so nobody trades it.';
  return (
    <Panel title="What became of it" actions={<Mark tone={isNothing ? 'neutral' : 'accent'}>{count(story)}</Mark>}>
      {isNothing && <Empty title="No order">{because}</Empty>}
      {story.paper_trades.map((trade) => (
        <PaperStory key={trade.trade_id} trade={trade} />
      ))}
      {story.live_trades.map((trade) => (
        <LiveStory key={trade.trade_id} trade={trade} />
      ))}
    </Panel>
  );
}

function count({ paper_trades, live_trades }: Story): string {
  return `${paper_trades.length} on paper, ${live_trades.length} live`;
}
