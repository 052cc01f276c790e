/** `/backtests` */
import { NotYet } from '@/app/NotYet.tsx';

export default function Backtests() {
  return <NotYet route="/api/backtests" />;
}
