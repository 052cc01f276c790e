/** `/kline` */
import { NotYet } from '@/app/NotYet.tsx';

export default function Kline() {
  return <NotYet route="/api/kline?symbol=BTCUSDT" />;
}
