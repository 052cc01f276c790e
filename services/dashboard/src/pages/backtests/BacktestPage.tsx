/** `/backtests/:backtestId` */
import { NotYet } from '@/app/NotYet.tsx';

export default function BacktestPage() {
  return <NotYet route="/api/backtests" />;
}
