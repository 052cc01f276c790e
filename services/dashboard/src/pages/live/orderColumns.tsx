/** What stands in a list of orders, of an account or of one trade. */
import { plain } from '@/format/numbers.ts';
import { Ago } from '@/parts/Ago.tsx';
import type { Column } from '@/parts/DataTable.tsx';
import { Mark, type Tone } from '@/parts/Mark.tsx';
import { price } from '@/trading/columns.tsx';
import { spoken } from '@/trading/names.ts';
import type { LiveOrder } from './asking.ts';

const TONES: Record<string, Tone> = { filled: 'good', unknown: 'danger', rejected: 'degraded', new: 'accent' };

export const ORDER_COLUMNS: readonly Column<LiveOrder>[] = [
  { id: 'time', title: 'Meant', cell: (row) => <Ago ms={row.intended_at_ms} />, value: (row) => row.intended_at_ms },
  { id: 'symbol', title: 'Symbol', cell: (row) => row.symbol, value: (row) => row.symbol },
  { id: 'leg', title: 'Leg', cell: (row) => spoken(row.leg), value: (row) => spoken(row.leg) },
  { id: 'side', title: 'Side', cell: (row) => row.side, value: (row) => row.side },
  {
    id: 'status',
    title: 'Status',
    cell: (row) => (
      <Mark tone={TONES[row.status] ?? 'neutral'} title={row.reason ?? undefined}>
        {spoken(row.status)}
      </Mark>
    ),
    value: (row) => spoken(row.status),
  },
  {
    id: 'quantity',
    title: 'Quantity',
    isNumeric: true,
    cell: (row) => (row.quantity === null ? 'whole position' : plain(row.quantity)),
    value: (row) => row.quantity,
  },
  {
    id: 'executed',
    title: 'Executed',
    isNumeric: true,
    cell: (row) => plain(row.executed),
    value: (row) => row.executed,
  },
  price('price', 'Price', (row) => row.price),
  price('trigger', 'Trigger', (row) => row.trigger_price),
  {
    id: 'reduce',
    title: 'Reduce only',
    isForWideScreens: true,
    cell: (row) => (row.reduce_only ? 'yes' : 'no'),
    value: (row) => (row.reduce_only ? 'yes' : 'no'),
  },
  {
    id: 'reason',
    title: 'Reason',
    isForWideScreens: true,
    cell: (row) => spoken(row.reason),
    value: (row) => spoken(row.reason),
  },
  {
    id: 'id',
    title: 'Client order id',
    isForWideScreens: true,
    cell: (row) => <code>{row.client_order_id}</code>,
    value: (row) => row.client_order_id,
  },
];
