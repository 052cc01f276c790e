/** `/trades` */
import { NotYet } from '@/app/NotYet.tsx';

export default function Trades() {
  return <NotYet route="/api/trades/meta" />;
}
